# SPDX-License-Identifier: Apache-2.0
"""Where a build folder keeps the export of each model: <build>/bundles/<stem of the model's name or file>."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pilotlight.errors import ConfigError


def bundle_folders(build_dir: Path, models: Sequence[str]) -> list[Path]:
    """Return the folder of each model; cmake/model.cmake names them the same. Raises ConfigError when two are one."""
    folders = [build_dir / "bundles" / Path(model).stem for model in models]
    for index, folder in enumerate(folders):
        if folder in folders[:index]:
            raise ConfigError(
                f"{models[folders.index(folder)]} and {models[index]} would share the folder {folder}",
                hint="name each model once, or rename a file",
            )
    return folders
