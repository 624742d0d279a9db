# SPDX-License-Identifier: Apache-2.0
"""Images and folders that several measurements share, so nothing is exported or compiled twice."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pilotlight.build_folder.settings import Settings
from pilotlight.builder.image import build_image
from pilotlight.paths import ROOT

BENCH = ROOT / "build" / "bench"
BOARD = "qemu-corstone300"


def digits_image(console: Console, *, float_io: bool = False) -> Path:
    """Build the digits for the emulated board if needed. Return the build folder."""
    folder = BENCH / ("digits-float-io" if float_io else "digits")
    build_image(folder, Settings(BOARD, ("digits",), float_io=float_io), pristine="auto", console=console)
    return folder
