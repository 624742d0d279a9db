# SPDX-License-Identifier: Apache-2.0
"""The options of a build folder, kept for the next `west build`."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pilotlight.build_folder.model_options import ModelOptions
from pilotlight.errors import ConfigError
from pilotlight.files import write_atomically

NAME = "settings.json"


@dataclass(frozen=True)
class Settings:
    """Options of `west build` that a build folder remembers. "" means the board's default."""

    board: str
    model: tuple[str, ...] = ()
    """Name or path of each model. Empty if `source_dir` is set, whose project names them."""
    source_dir: str = ""
    """CMake project to build instead of our check app. It calls pilotlight_add_model()."""
    npu: str = ""
    system_config: str = ""
    memory_mode: str = ""
    runtime: str = ""
    quantise: str = ""
    float_io: bool = False
    require_full_delegation: bool = False
    shared_arena: bool = False

    @property
    def options(self) -> ModelOptions:
        """The options that apply to all models of the image."""
        return ModelOptions(**{field.name: getattr(self, field.name) for field in fields(ModelOptions)})


def load_settings(folder: Path) -> Settings | None:
    """Return the settings of `folder`, or None if it has none. Raises ConfigError if damaged."""
    try:
        values = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return Settings(**{**values, "model": tuple(values["model"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder / NAME}: damaged ({error})",
            hint=f"build afresh: west build -p always -d {shlex.quote(str(folder))} -b BOARD -m MODEL",
        ) from error


def save_settings(folder: Path, settings: Settings) -> None:
    """Write settings.json atomically, and create `folder` if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / NAME, json.dumps(asdict(settings), indent=2) + "\n")
