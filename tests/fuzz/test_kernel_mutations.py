# SPDX-License-Identifier: Apache-2.0
"""Damaged programs that pass the loader do not break the firmware's kernels either."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import building  # noqa: E402
import index_programs  # noqa: E402
import kernel_programs  # noqa: E402
import mutations  # noqa: E402

COUNT = 40_000


@pytest.fixture(scope="module", params=["64", "32"])
def bits(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def replay_folder(bits: str) -> Path:
    return kernel_programs.build(bits)


@pytest.fixture(scope="module")
def good(replay_folder: Path) -> list[Path]:
    found = kernel_programs.loadable(replay_folder)
    assert len(found) > 30
    return found


def _counts(stderr: str) -> dict[str, int]:
    return {what: int(count) for count, what in re.findall(r"^ *(\d+)  (.+)$", stderr, re.MULTILINE)}


@pytest.mark.campaign
@pytest.mark.time_limit(1800)
def test_mutated_programs_are_refused_or_stay_within_bounds_with_the_real_kernels(
    bits: str, replay_folder: Path, good: list[Path], tmp_path: Path
) -> None:
    cases = tmp_path / "cases.bin"
    mutations.write(good, COUNT, int(bits), cases)
    done = building.replay(replay_folder, "kernels", "--cases", cases, limit_s=900)
    assert done.returncode == 0, done.stderr
    counts = _counts(done.stderr)
    assert counts["executions"] == COUNT
    assert counts["ran 0x00 0"] > COUNT // 40


@pytest.mark.campaign
@pytest.mark.time_limit(1800)
def test_tensors_that_share_memory_are_refused_or_only_read_with_the_real_kernels(
    replay_folder: Path, good: list[Path], tmp_path: Path
) -> None:
    cases = tmp_path / "cases.bin"
    count = mutations.write_overlaps([*good, *index_programs.write(tmp_path)], cases)
    done = building.replay(replay_folder, "kernels", "--cases", cases, limit_s=900)
    assert done.returncode == 0, done.stderr
    counts = _counts(done.stderr)
    assert counts["executions"] == count > 5000
    # Some programs are refused at load and some when they run. Others do not overlap and run.
    assert counts["method 0x23 1"] > count // 10, done.stderr
    assert counts["execute 0x02 1"] > 0 and counts["ran 0x00 0"] > 0, done.stderr
