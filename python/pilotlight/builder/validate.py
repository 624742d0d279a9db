# SPDX-License-Identifier: Apache-2.0
"""Checks the options of a build before anything is changed."""

from __future__ import annotations

import os
from pathlib import Path

from pilotlight.boards import Board
from pilotlight.build_folder import Settings
from pilotlight.builder.bundles import bundle_names
from pilotlight.errors import ConfigError
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.model_file import find_model_file

# Environment variables that tell find_package() where the board's package is.
_PACKAGE_PLACES = ("executorch_DIR", "executorch_ROOT", "CMAKE_PREFIX_PATH")


def validate(settings: Settings, board: Board) -> None:
    """Raise ConfigError if a model, the project, the NPU or the runtime does not exist."""
    if settings.source_dir:
        _validate_project(Path(settings.source_dir))
    for model in settings.model:
        find_model_file(model)
    bundle_names(settings.model)
    options = settings.options.for_export(board)
    resolve(
        options.npu,
        options.system_config or options.board_system_config,
        options.memory_mode or options.board_memory_mode,
    )
    if settings.runtime == "package" and board.cpu.core != "host" and not any(map(os.environ.get, _PACKAGE_PLACES)):
        raise ConfigError(
            f"--runtime package: the installed executorch package is for this machine, not for {board.name}",
            hint="set executorch_DIR to the package that you built for it, or take --runtime ours",
        )


def _validate_project(folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigError(f"-s {folder}: no such folder", hint="-s names the folder of a CMake project")
    if not (folder / "CMakeLists.txt").is_file():
        raise ConfigError(f"{folder} holds no CMakeLists.txt", hint="-s names the folder of a CMake project")
