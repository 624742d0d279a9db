# SPDX-License-Identifier: Apache-2.0
"""Damaged programs on the firmware's own kernels: what passes the loader must not break a kernel either."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit/firmware/executorch/conformance")]

import building  # noqa: E402
import mutations  # noqa: E402
import suite  # noqa: E402

COUNT = 40_000


@pytest.mark.campaign
@pytest.mark.time_limit(1800)
@pytest.mark.parametrize("bits", ["64", "32"])
def test_mutated_programs_are_refused_or_stay_within_bounds_with_the_real_kernels(bits: str, tmp_path: Path) -> None:
    folder = building.build(building.ROOT / f"build/fuzz/kernels-{bits}", f"-DWORD_BITS={bits}", "-DKERNELS=ON")
    # Those that load: the others lack what the caller has to bring. The second run's inputs are no good for some.
    files = sorted(suite.programs().glob("*.pte"))
    whole = building.replay(folder, "kernels", "--print", *files)
    assert whole.returncode == 0, whole.stderr
    good = [Path(path) for path in re.findall(r"^(\S+): (?:ran|execute) 0x\w+ \d+$", whole.stdout, re.MULTILINE)]
    assert len(good) > 30

    cases = tmp_path / "cases.bin"
    mutations.write(good, COUNT, int(bits), cases)
    done = building.replay(folder, "kernels", "--cases", cases, limit_s=900)
    assert done.returncode == 0, done.stderr
    executed = re.search(r"^ *(\d+)  executions$", done.stderr, re.MULTILINE)
    assert executed is not None and int(executed.group(1)) == COUNT
    ran = re.search(r"^ *(\d+)  ran 0x00 0$", done.stderr, re.MULTILINE)
    assert ran is not None and int(ran.group(1)) > COUNT // 40
