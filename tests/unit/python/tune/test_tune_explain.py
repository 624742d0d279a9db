# SPDX-License-Identifier: Apache-2.0
"""If no recipe fits, the reasons name what shares a scale, what loses most, and what is refused."""

from __future__ import annotations

from pilotlight.export.blame.record import FP32, Blame, ResultBlame, StageAgreement
from pilotlight.tune.explain import reasons
from pilotlight.tune.goal import Budget, Goal, Tolerance
from pilotlight.tune.record import EXPORTED, REFUSED, Costs, Judged, Part, Quality, Trial

GOAL = Goal(Tolerance.parse("25dB"), Budget(ram=150))


def row(operator: str, loss_db: float) -> ResultBlame:
    agreement = StageAgreement("quantised PyTorch", FP32, 20.0, 1.0, 0.1)
    return ResultBlame(operator, operator, "head", f"/x/net.py:{len(operator)}", "", (agreement,), loss_db, None, None)


LOSSES = Blame("net", "npu", 1, (FP32, "quantised PyTorch"), (row("add", 0.3), row("exp", 4.0), row("softmax", 12.4)))
REFUSAL = "recipe 'a16w8' cannot run on ethos-u55-128: 16-bit product of matrices: it multiplies matrices in 8 bits"


def trial(number: int, quality: Quality, ram: int = 100) -> Trial:
    return Trial(number, f"recipe{number}", EXPORTED, quality, None, Costs(10, 20, ram, 0))


def why(*trials: Trial, losses: Blame | None = LOSSES) -> tuple[str, ...]:
    judged: list[Judged] = GOAL.judge(trials)
    rated = [one for one in judged if one.trial.quality is not None]
    return reasons(judged, max(rated, key=lambda one: one.trial.quality.decibels, default=None), losses, GOAL)


def test_parts_of_different_magnitude_should_be_two_outputs() -> None:
    part = Part("y", largest=0.9, whole=300.0, axis=1, index=4)
    assert why(trial(0, Quality(3.0, part)))[0] == (
        "output 'y' holds values up to 300 and, at index 4 of axis 1, up to 0.9, on one scale: return them as two "
        "outputs"
    )


def test_the_operators_that_lose_most_are_named_with_their_lines() -> None:
    assert why(trial(0, Quality(20.0, Part("y", 1.0, 1.0)))) == (
        "softmax at net.py:7 (module head) loses 12 dB with the best recipe",
        "exp at net.py:3 (module head) loses 4 dB with the best recipe",
    )


def test_without_an_operator_that_stands_out_this_is_said() -> None:
    small = Blame("net", "npu", 1, LOSSES.stages, (row("add", 0.3),))
    found = why(trial(0, Quality(20.0, Part("y", 1.0, 1.0))), losses=small)
    assert found == ("output 'y' loses a little at each operator, and no operator stands out",)


def test_each_refusal_of_the_npu_is_said_once() -> None:
    refused = [
        Trial(number, text, REFUSED, reason=f"{REFUSAL}\n  matmul at net.py:3") for number, text in enumerate("ab", 1)
    ]
    found = why(trial(0, Quality(20.0, Part("y", 1.0, 1.0))), *refused)
    assert found[-1] == f"refused: {REFUSAL}"
    assert sum("refused" in sentence for sentence in found) == 1
    assert why(*refused) == ("no recipe could be built", f"refused: {REFUSAL}")


def test_an_accurate_recipe_that_costs_too_much_is_named() -> None:
    part = Part("y", 1.0, 1.0)
    found = why(trial(0, Quality(20.0, part)), trial(1, Quality(30.0, part), 300), trial(2, Quality(31.0, part), 160))
    assert found == (
        "the tolerance is reached, but not within the budget (RAM up to 150 bytes): the nearest is recipe2, ram 1.07 "
        "times the budget",
    )
