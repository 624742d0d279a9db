# SPDX-License-Identifier: Apache-2.0
"""The measured sizes of an image, also as JSON. Tables, pictures and comparisons use only these."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError

SCHEMA = 1
FLASH = "flash"
RAM = "RAM"


@dataclass(frozen=True)
class RegionUse:
    """The use of a memory region of the board. size_bytes is 0 for memory outside all regions."""

    name: str
    used_bytes: int
    size_bytes: int


@dataclass(frozen=True)
class Part:
    """Bytes of one object in one output section and one region.

    memory: FLASH if the image file holds the bytes, RAM if they exist only at run time. Data that
        the start-up code copies has a part in each memory.
    symbol: the function or variable; "" if there is none or several.
    """

    region: str
    memory: str
    section: str
    component: str
    file: str
    symbol: str
    size_bytes: int


@dataclass(frozen=True)
class Layer:
    """One operator of the user's model.

    name: the nn.Module's path with the operator; unique in its model.
    where: "file:line" of the user's source.
    weights_bytes, commands_bytes: its bytes in the .pte.
    output_bytes: size of its result. Layers share this memory one after another, so outputs do not
        add up.
    """

    name: str
    where: str
    weights_bytes: int
    commands_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Model:
    """A model. flash: parts of the .pte by name; they add up to its size. ram: memory by name."""

    name: str
    flash: dict[str, int]
    ram: dict[str, int]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Sizes:
    """The sizes of an image."""

    title: str
    regions: tuple[RegionUse, ...]
    parts: tuple[Part, ...]
    models: tuple[Model, ...]

    def total(self, memory: str) -> int:
        """Return the bytes of all parts in `memory` (FLASH or RAM)."""
        return sum(part.size_bytes for part in self.parts if part.memory == memory)

    def by(self, key: Callable[[Part], str], memory: str) -> Counter[str]:
        """Sum the parts in `memory` by `key`."""
        sums: Counter[str] = Counter()
        for part in self.parts:
            if part.memory == memory:
                sums[key(part)] += part.size_bytes
        return sums

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "flash_bytes": self.total(FLASH),
            "ram_bytes": self.total(RAM),
            "components": {
                name: {"flash_bytes": flash, "ram_bytes": ram} for name, (flash, ram) in by_component(self).items()
            },
            **asdict(self),
        }


def by_component(sizes: Sizes) -> dict[str, tuple[int, int]]:
    """Return flash and RAM by component, the largest sum first."""
    flash, ram = (sizes.by(lambda part: part.component, memory) for memory in (FLASH, RAM))
    names = sorted({*flash, *ram}, key=lambda name: (-flash[name] - ram[name], name))
    return {name: (flash[name], ram[name]) for name in names}


def load_sizes(path: Path) -> Sizes:
    """Read the output of `pilotlight size --json`. Raises ConfigError for any other file."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != SCHEMA:
            raise ConfigError(
                f"{path}: written by another version of pilotlight (schema {raw['schema']}, this one has {SCHEMA})",
                hint="save it again, from its build: pilotlight size -d BUILD --json",
            )
        return Sizes(
            str(raw["title"]),
            tuple(RegionUse(**row) for row in raw["regions"]),
            tuple(Part(**row) for row in raw["parts"]),
            tuple(
                Model(row["name"], row["flash"], row["ram"], tuple(Layer(**layer) for layer in row["layers"]))
                for row in raw["models"]
            ),
        )
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="give a file that `size --json` printed") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: not what `size --json` prints ({error})",
            hint="save it with: pilotlight size -d BUILD --json > FILE",
        ) from error
