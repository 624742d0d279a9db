# SPDX-License-Identifier: Apache-2.0
"""No program can use lent memory beyond its end, or after the run for which the caller lent it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from good_programs import (
    BIG,
    CONSTANT,
    FLAG,
    LENT_IN,
    LENT_OUT,
    LENT_VIEW,
    LENT_VIEW_OF_OUT,
    PLANNED,
    SIZE_ANY,
    SIZE_SEVEN,
    SMALL,
    lent_memory,
)
from programs import Assembler, Json, free, jump_false, kernel, move


def fill(source: int, target: int) -> Json:
    return kernel(0, source, target)


def flip() -> Json:
    return kernel(1, FLAG)


def view(source: int, target: int, size: int = SIZE_ANY) -> Json:
    return kernel(2, source, size, target)


PROGRAMS = {
    "well": [
        fill(LENT_IN, LENT_OUT),
        view(LENT_IN, LENT_VIEW),
        fill(LENT_VIEW, LENT_VIEW),
        view(LENT_OUT, LENT_VIEW_OF_OUT),
        fill(LENT_VIEW_OF_OUT, LENT_VIEW_OF_OUT),
    ],
    # Every second run uses the view that the previous run has made.
    "stale_view": [flip(), jump_false(FLAG, 3), view(LENT_IN, LENT_VIEW), fill(LENT_VIEW, LENT_VIEW)],
    "stale_view_of_a_view": [
        flip(),
        jump_false(FLAG, 4),
        view(LENT_IN, LENT_VIEW),
        view(LENT_VIEW, LENT_VIEW_OF_OUT),
        fill(LENT_VIEW_OF_OUT, LENT_VIEW_OF_OUT),
    ],
    # One run makes a view and fails to make the next, because there are not seven elements. The
    # other uses the view.
    "view_that_fails": [
        flip(),
        jump_false(FLAG, 4),
        view(SMALL, PLANNED),
        view(BIG, PLANNED, SIZE_SEVEN),
        fill(PLANNED, PLANNED),
    ],
    "moved_and_freed": [
        view(LENT_IN, LENT_VIEW),
        move(LENT_VIEW, PLANNED),
        fill(PLANNED, PLANNED),
        flip(),
        jump_false(FLAG, 6),
        free(LENT_VIEW),
        fill(PLANNED, PLANNED),
    ],
    "moved_and_stale": [
        flip(),
        jump_false(FLAG, 4),
        view(LENT_IN, LENT_VIEW),
        move(LENT_VIEW, PLANNED),
        fill(PLANNED, PLANNED),
    ],
}
REFUSED = {
    "view_in_planned_memory_of_what_is_lent": [view(LENT_IN, PLANNED)],
    "view_that_may_be_written_of_a_constant": [view(CONSTANT, PLANNED)],
    "lent_view_of_a_constant": [view(CONSTANT, LENT_VIEW)],
    "constant_that_moves_to_planned_memory": [move(CONSTANT, PLANNED)],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lent")
    written: dict[str, tuple[Json, Sequence[bytes]]] = {
        name: lent_memory(*instructions) for name, instructions in {**PROGRAMS, **REFUSED}.items()
    }
    for name, content in Assembler(folder).assemble(written).items():
        (folder / f"{name}.pte").write_bytes(content)
    return folder


def _run(probe: Path, how: str, file: Path) -> str:
    done = subprocess.run([str(probe), how, str(file)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode} {done.stdout[-500:]}\n{done.stderr[:3000]}"
    return done.stdout


def test_a_caller_that_lends_more_and_less_gets_what_the_wheel_gives(differential_build: Path, files: Path) -> None:
    ours, wheel = (
        _run(differential_build / f"lent_memory_{which}", "well", files / "well.pte") for which in ("ours", "wheel")
    )
    assert ours == wheel
    assert ours.count("input 0x0 output 0x0 execute 0x0") == 7


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels_that_take_all_they_can_get_stay_in_what_was_lent(
    differential_build: Path, files: Path, name: str
) -> None:
    said = _run(differential_build / "lent_memory_ours", "greedy", files / f"{name}.pte")
    calls = re.search(r"ran (\d+) of \d+, (\d+) calls", said)
    assert calls is not None, said
    # With fewer calls the test shows nothing.
    assert int(calls.group(2)) > 1000, said


@pytest.mark.parametrize("name", REFUSED)
def test_what_memory_a_tensor_has_cannot_change(differential_build: Path, files: Path, name: str) -> None:
    assert _run(differential_build / "lent_memory_ours", "well", files / f"{name}.pte") == "load 0x23\n"
