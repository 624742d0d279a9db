# SPDX-License-Identifier: Apache-2.0
"""Finds the sizes that `--diff` compares with: a build folder, a saved file or a git revision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pilotlight.size.measure import measure
from pilotlight.size.record import Sizes, load_sizes
from pilotlight.size.revision import sizes_at_revision


def sizes_of(reference: str, folder: Path, console: Console) -> Sizes:
    """Return the sizes of `reference`. `folder`: the build to compare with it.

    Raises ConfigError if `reference` is none of the three, BuildFailed if a revision does not
    build, and the errors of `measure`.
    """
    path = Path(reference)
    if path.is_dir():
        sizes = measure(path)
    elif path.is_file():
        sizes = load_sizes(path)
    else:
        sizes = sizes_at_revision(reference, folder, console)
    return replace(sizes, title=f"{sizes.title} ({reference})")
