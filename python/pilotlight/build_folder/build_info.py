# SPDX-License-Identifier: Apache-2.0
"""build_info.json: the description of a finished build. `west build` writes it last, and the other
commands read it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError
from pilotlight.files import write_atomically

NAME = "build_info.json"


@dataclass(frozen=True)
class BuiltModel:
    """One model of an image.

    bundle: its folder, relative to the build folder. expectations: hash of its golden outputs and
        tolerances.
    memory: the memory that the image reserves for it, as `codegen.arenas.Arenas.from_json` reads
    it.
    """

    name: str
    bundle: str
    expectations: str
    memory: dict[str, Any]


@dataclass(frozen=True)
class BuildInfo:
    """board: as the user gave it. board_name: as in board.toml. model: the names of all models, for
    messages.

    tells_build_id: whether the app can answer `check` and `fault`. npu: the NPU that the first
    model was exported for.
    elf: the image, relative to the build folder.
    """

    board: str
    board_name: str
    model: str
    build_id: str
    tells_build_id: bool
    npu: str
    elf: str
    models: tuple[BuiltModel, ...] = ()

    @classmethod
    def load(cls, build_dir: Path) -> BuildInfo:
        """Read the build folder's file. Raises ConfigError if there is no finished build."""
        path = build_dir / NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            models = tuple(BuiltModel(**model) for model in values.pop("models"))
            info = cls(**values, models=models)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{build_dir}: there is no finished build: no {NAME}", hint="west build") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path}: this is not the description of a build ({error})", hint="west build -p always"
            ) from error
        info._demand_types(path)
        return info

    def save(self, build_dir: Path) -> None:
        write_atomically(build_dir / NAME, json.dumps(asdict(self), indent=2) + "\n")

    def _demand_types(self, path: Path) -> None:
        texts = {key: value for key, value in asdict(self).items() if key not in ("tells_build_id", "models")}
        for key, value in texts.items():
            if not isinstance(value, str):
                raise ConfigError(f"{path}: {key} = {value!r}: must be text", hint="west build -p always")
        if not isinstance(self.tells_build_id, bool):
            raise ConfigError(f"{path}: tells_build_id must be true or false", hint="west build -p always")
