# SPDX-License-Identifier: Apache-2.0
"""Programs that call the firmware's own kernels: the conformance suite's, and those of operators with indices."""

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
    """Build the loader with all of the firmware's kernels, for words of "64" or "32" bits; return the folder."""
    return building.build(building.ROOT / f"build/fuzz/kernels-{bits}", f"-DWORD_BITS={bits}", "-DKERNELS=ON")


def loadable(replay_folder: Path) -> list[Path]:
    """Return the suite's programs that load: the others lack what the caller has to bring."""
    files = sorted(suite.programs().glob("*.pte"))
    whole = building.replay(replay_folder, "kernels", "--print", *files)
    if whole.returncode != 0:
        raise building.BuildFailedHere(whole.stderr)
    # The second run's inputs are no good for some.
    return [Path(path) for path in re.findall(r"^(\S+): (?:ran|execute) 0x\w+ \d+$", whole.stdout, re.MULTILINE)]


def all_programs(folder: Path) -> list[Path]:
    """Return every program; those of operators with indices are written into `folder`."""
    return [*sorted(suite.programs().glob("*.pte")), *index_programs.write(folder)]
