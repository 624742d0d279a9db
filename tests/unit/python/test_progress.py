# SPDX-License-Identifier: Apache-2.0
"""Without a terminal, progress is a log with one line for each step."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pilotlight import progress
from pilotlight.progress import telling


def log(steps: list[str]) -> list[str]:
    written = io.StringIO()
    with telling(Console(file=written), "exporting kws [a]") as tell:
        for step in steps:
            tell(step)
    return written.getvalue().splitlines()


def test_each_step_is_a_line_and_counting_is_not() -> None:
    steps = ["exporting kws: lowering", "compiling 1 of 250", "compiling 2 of 250", "compiling 3 of 250", "linking"]
    assert log(steps) == ["exporting kws [a]", "exporting kws: lowering", "compiling 1 of 250", "linking"]


def test_counting_that_takes_long_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    steps = [f"compiling {number} of 9" for number in range(1, 10)]
    assert log(steps) == ["exporting kws [a]", *(f"compiling {number} of 9" for number in (1, 4, 7))]


def test_a_long_line_is_not_cut() -> None:
    assert log(["x" * 300]) == ["exporting kws [a]", "x" * 300]


def test_on_a_terminal_it_is_one_line() -> None:
    written = io.StringIO()
    with telling(Console(file=written, force_terminal=True), "exporting") as tell:
        tell("compiling")
    assert "exporting\n" not in written.getvalue()
