# SPDX-License-Identifier: Apache-2.0
"""Where this package keeps files that speed up later commands, for all projects of a user."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def cache_folder(name: str, variable: str) -> Path | None:
    """Return the folder of a cache: what the environment variable says, or the user's folder
    `name`.

    None if the variable is "off", or if the user has no home. The folder need not exist.
    """
    chosen = os.environ.get(variable, "")
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):
        return (Path(home) if home else Path.home() / ".cache") / "pilotlight" / name
    return None


def weight_cache() -> Path | None:
    """Return the folder of decoded weights (npu/arithmetic/weight_store.py)."""
    return cache_folder("weights", "PILOTLIGHT_WEIGHT_CACHE")


def compiled_loops() -> Path | None:
    """Return the folder of compiled loops (npu/compiled/library.py)."""
    return cache_folder("loops", "PILOTLIGHT_COMPILED_LOOPS")
