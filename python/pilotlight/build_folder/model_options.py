# SPDX-License-Identifier: Apache-2.0
"""The options that apply to all models of an image, as `west build` and CMake exchange them.

`west build` writes them to one JSON file and gives CMake its path as PILOTLIGHT_OPTIONS.
pilotlight_add_model() writes the arguments of its call to a second file. The build steps read both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pilotlight.boards import Board
from pilotlight.errors import ConfigError
from pilotlight.export_options import ExportOptions
from pilotlight.files import write_if_changed
from pilotlight.npu_names import family_of


@dataclass(frozen=True)
class ModelOptions:
    """ "" and False mean: not set. docs/COMMANDS.md describes each option."""

    npu: str = ""
    system_config: str = ""
    memory_mode: str = ""
    quantise: str = ""
    float_io: bool = False
    require_full_delegation: bool = False
    shared_arena: bool = False

    def for_export(self, board: Board) -> ExportOptions:
        """Return the options of an export for `board`.

        The board's settings for Vela apply only if the NPU is of the same family as the board's.
        """
        npu = self.npu or board.npu.config
        same_family = npu.startswith(f"{family_of(board.npu.config).name}-")
        return ExportOptions(
            npu=npu,
            system_config=self.system_config or None,
            memory_mode=self.memory_mode or None,
            float_io=self.float_io or None,
            quantisation=self.quantise or None,
            require_full_delegation=self.require_full_delegation,
            board_system_config=board.npu.system_config if same_family else None,
            board_memory_mode=board.npu.memory_mode if same_family else None,
        )

    def save(self, path: Path) -> None:
        """Write the file. An unchanged file keeps its time, so that no build step runs again."""
        write_if_changed(path, json.dumps(asdict(self), indent=2) + "\n")


def read_options(paths: Sequence[Path]) -> ModelOptions:
    """Return the options of the files together. A later file replaces what an earlier one sets.

    Raises ConfigError if a file is missing or is not of this kind.
    """
    merged = asdict(ModelOptions())
    for path in paths:
        merged |= {name: value for name, value in _read(path).items() if value}
    return ModelOptions(**merged)


def _read(path: Path) -> dict[str, str | bool]:
    hint = "run `west build` again; it writes this file"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the build options cannot be read ({error})", hint=hint) from error
    types = {field.name: type(field.default) for field in fields(ModelOptions)}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: the build options are not a JSON object", hint=hint)
    for name, value in values.items():
        if type(value) is not types.get(name):
            raise ConfigError(f"{path}: {name} = {value!r} is not a build option", hint=hint)
    return values
