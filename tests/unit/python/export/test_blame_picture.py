# SPDX-License-Identifier: Apache-2.0
"""The picture of `blame` shows what its table says."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgba

from pilotlight.export.blame.picture import figure_of
from pilotlight.export.blame.record import Blame, ResultBlame, StageAgreement

STAGES = ("FP32", "quantised PyTorch", "TOSA")


def _result(number: int, sqnr_db: float | None, loss_db: float, bound: int | None, furthest: int | None) -> ResultBlame:
    agreement = StageAgreement(STAGES[1], STAGES[0], sqnr_db, 0.5, 0.1)
    return ResultBlame(f"r{number}", "conv2d", f"layer{number}", "net.py:3", "", (agreement,), loss_db, bound, furthest)


ROWS = (
    _result(0, 40.0, 0.0, 1, 1),
    _result(1, 22.0, 18.0, 1, 3),
    _result(2, None, 0.0, None, None),
    _result(3, 9.0, 13.0, 2, 0),
)


def _picture(rows: tuple[ResultBlame, ...]) -> tuple[object, object]:
    loss, steps = figure_of(Blame("net", "ethos-u55-128", 2, STAGES, rows)).axes
    return loss, steps


def test_each_result_has_its_ratio_and_large_losses_are_red() -> None:
    loss, _ = _picture(ROWS)
    line, red = loss.lines
    np.testing.assert_equal(line.get_ydata(), [40.0, 22.0, np.nan, 9.0])
    assert (list(red.get_xdata()), list(red.get_ydata())) == ([1, 3], [22.0, 9.0])
    assert to_rgba(red.get_color()) == to_rgba("tab:red")
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["falls by more than 10 dB"]
    assert loss.get_title() == "net for ethos-u55-128"
    assert loss.get_ylabel() == "SQNR in dB\nquantised PyTorch against FP32"
    assert _picture(ROWS[:1])[0].get_legend() is None


def test_steps_beyond_the_bound_are_red() -> None:
    _, steps = _picture(ROWS)
    bars = [(bar.get_height(), to_rgba(bar.get_facecolor())) for bar in steps.patches]
    red, green = to_rgba("tab:red"), to_rgba("tab:green")
    assert bars == [(1, green), (3, red), (0, green), (0, green)]
    np.testing.assert_equal(steps.lines[0].get_ydata(), [1, 1, np.nan, 2])
    assert steps.get_ylim() == (0, 4)
    assert [label.get_text() for label in steps.get_xticklabels()] == [f"conv2d layer{i}" for i in range(4)]


def test_many_results_have_no_names_below_them() -> None:
    _, steps = _picture(tuple(_result(i, 30.0, 0.0, 1, 0) for i in range(61)))
    assert steps.get_xlabel() == "results, in the order of computation"
