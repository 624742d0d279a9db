# SPDX-License-Identifier: Apache-2.0
"""Decides when a build folder must be emptied, and empties it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

from pilotlight.build_folder.settings import NAME, Settings
from pilotlight.errors import ConfigError, PilotlightError


def needs_pristine(before: Settings | None, now: Settings) -> bool:
    """Whether board, runtime or project differ, so that the folder must be emptied."""
    return before is not None and (before.board, before.runtime, before.source_dir) != (
        now.board,
        now.runtime,
        now.source_dir,
    )


def make_pristine(folder: Path, kept: Collection[str] = ()) -> None:
    """Empty a build folder, except the entries named in `kept`.

    Raises ConfigError if it does not look like a build folder, because it may hold the user's
    files.
    """
    if not folder.exists():
        return
    looks_ours = (folder / NAME).exists() or (folder / "CMakeCache.txt").exists() or not any(folder.iterdir())
    if not looks_ours:
        raise ConfigError(f"{folder} is not a build folder, and -p would delete it", hint="name another with -d")
    from pilotlight.targets import power_off

    with contextlib.suppress(PilotlightError):  # Nothing was running.
        power_off(folder)
    if not kept:
        shutil.rmtree(folder)
        return
    for entry in folder.iterdir():
        if entry.name in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
