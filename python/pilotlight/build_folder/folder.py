# SPDX-License-Identifier: Apache-2.0
"""The files of a build folder, and their writers. No other module spells their names.

settings.json       `west build`, at its start: the options that a bare `west build` repeats
options.json        `west build`: the options of the models, for CMake (model_options.py)
configured.json     `west build`: the CMake command that configured the folder (compile.py)
build.log           `west build`: the output of CMake, compiler and linker
bundles/NAME/       the export of each model
board/board.cmake   CMake: facts of board.toml
generated/          the build steps: sources, the build id, the memory of each model
image.txt           CMake: the path of the ELF file, then of each bundle, one in a line
stack.json          the build step that computes the stack's bound
build_info.json     `west build`, last of all: what the finished image is (build_info.py)
target/             the supervisor of the powered board: state, lock, logs, last fault dump
check/              `west check`: the history of its records
fault.bin           `west check` and `west fault`: the last fault dump that the board sent
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.build_folder.build_info import NAME, BuildInfo
from pilotlight.build_folder.settings import Settings, load_settings, save_settings
from pilotlight.errors import ConfigError


@dataclass(frozen=True)
class LinkedImage:
    """The ELF file of pilotlight_add_model(), and the bundles of its models."""

    elf: Path
    bundles: tuple[Path, ...]


@dataclass(frozen=True)
class BuildFolder:
    """A build folder by its path. No file needs to exist before it is read."""

    path: Path

    @property
    def options(self) -> Path:
        return self.path / "options.json"

    @property
    def configured(self) -> Path:
        return self.path / "configured.json"

    @property
    def log(self) -> Path:
        return self.path / "build.log"

    @property
    def bundles(self) -> Path:
        return self.path / "bundles"

    @property
    def board_facts(self) -> Path:
        return self.path / "board" / "board.cmake"

    @property
    def stack_bound(self) -> Path:
        return self.path / "stack.json"

    @property
    def build_info(self) -> Path:
        return self.path / NAME

    @property
    def checks(self) -> Path:
        return self.path / "check"

    @property
    def fault_dump(self) -> Path:
        return self.path / "fault.bin"

    @property
    def target(self) -> Path:
        return self.path / "target"

    @property
    def target_state(self) -> Path:
        return self.target / "state.json"

    @property
    def target_lock(self) -> Path:
        return self.target / "lock"

    @property
    def target_fault_dump(self) -> Path:
        """The dump of the last fault since power-up, which the supervisor keeps."""
        return self.target / "fault.bin"

    @property
    def console_log(self) -> Path:
        return self.target / "console.log"

    def settings(self) -> Settings | None:
        """Return the remembered options; None if there are none. Raises ConfigError if damaged."""
        return load_settings(self.path)

    def save_settings(self, settings: Settings) -> None:
        save_settings(self.path, settings)

    def info(self) -> BuildInfo:
        """Return what the finished image is. Raises ConfigError if there is no finished build."""
        return BuildInfo.load(self.path)

    def elf(self) -> Path:
        """Return the image's ELF file. `cmake --build` without `west build` writes no
        build_info.json.

        Raises ConfigError if nothing was built.
        """
        return self.path / self.info().elf if self.build_info.exists() else self.linked_image().elf

    def linked_image(self) -> LinkedImage:
        """Return the image that CMake links, whether the build was finished or not.

        Raises ConfigError if CMake was never configured here, or if no model is linked.
        """
        build = f"west build -d {shlex.quote(str(self.path))} -b BOARD -m MODEL"
        if not self.path.is_dir():
            raise ConfigError(f"{self.path}: no such build folder", hint=f"{build}; -d names another build folder")
        try:
            elf, *bundles = (self.path / "image.txt").read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, ValueError) as error:
            raise ConfigError(
                f"{self.path}: its image has no model",
                hint=f"{build}; a project calls pilotlight_add_model() in its top CMakeLists.txt",
            ) from error
        return LinkedImage(Path(elf), tuple(Path(bundle) for bundle in bundles if bundle))

    def build_id(self) -> str:
        """Return the id in the linked image. Raises FileNotFoundError before the first link."""
        return (self._generated / "build_id.txt").read_text(encoding="ascii").strip()

    def memory_of_models(self) -> dict[str, Any]:
        """Return, for each model, the values that codegen.arenas.Arenas.from_json reads."""
        memory: dict[str, Any] = json.loads((self._generated / "memory.json").read_text(encoding="utf-8"))
        return memory

    @property
    def _generated(self) -> Path:
        return self.path / "generated"
