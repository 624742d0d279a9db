# SPDX-License-Identifier: Apache-2.0
"""Programs that call the firmware's kernels: the conformance suite's, and index_programs.py's."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit/firmware/executorch/conformance")]

import building  # noqa: E402
import index_programs  # noqa: E402
import suite  # noqa: E402


def build(bits: str) -> Path:
    """Build the loader with all of the firmware's kernels and return the folder.

    bits: the word size, "64" or "32".
    """
    return building.build(building.ROOT / f"build/fuzz/kernels-{bits}", f"-DWORD_BITS={bits}", "-DKERNELS=ON")


def loadable(replay_folder: Path) -> list[Path]:
    """Return the suite's programs that load. The others need something from the caller.

    Raises BuildFailedHere when one of them breaks a rule.
    """
    files = sorted(suite.programs().glob("*.pte"))
    whole = building.replay(replay_folder, "kernels", "--print", *files)
    if whole.returncode != 0:
        raise building.BuildFailedHere(whole.stderr)
    # "execute": some programs refuse the second run's inputs.
    return [Path(path) for path in re.findall(r"^(\S+): (?:ran|execute) 0x\w+ \d+$", whole.stdout, re.MULTILINE)]


def all_programs(folder: Path) -> list[Path]:
    """Return all programs. The index programs are written into `folder`."""
    return [*sorted(suite.programs().glob("*.pte")), *index_programs.write(folder)]
