# SPDX-License-Identifier: Apache-2.0
"""A tolerance and a budget decide which recipe is chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotlight.errors import ConfigError
from pilotlight.tune.goal import Budget, Goal, Tolerance, pareto_front
from pilotlight.tune.record import EXPORTED, REFUSED, SCREENED, Costs, MetricQuality, Quality, Trial


def exported(number: int, decibels: float, cycles: int, ram: int = 100, on_cpu: int = 0) -> Trial:
    return Trial(number, f"recipe{number}", EXPORTED, Quality(decibels), None, Costs(cycles, 50, ram, on_cpu))


GOAL = Goal(Tolerance.parse("25dB"), Budget(ram=150))


@pytest.mark.parametrize(
    ("text", "quality", "shortfall"),
    [
        ("25dB", Quality(24.0), 1.0),
        ("25 db", Quality(30.0), -5.0),
        ("25dB", Quality(None), float("-inf")),
        ("0.3 points", Quality(9.0, metric=MetricQuality("m", 0.970, 0.980)), 0.7),
        ("1points", Quality(9.0, metric=MetricQuality("m", 0.970, 0.980)), 0.0),
        ("1%", Quality(9.0, metric=MetricQuality("m", 0.49, 0.50)), 1.0),
        # A perplexity: lower is better.
        ("2%", Quality(9.0, metric=MetricQuality("m", 5.05, 5.0, higher_is_better=False)), -1.0),
    ],
)
def test_a_tolerance_measures_what_its_unit_says(text: str, quality: Quality, shortfall: float) -> None:
    assert Tolerance.parse(text).shortfall(quality) == pytest.approx(shortfall)


@pytest.mark.parametrize("text", ["25", "dB", "-3dB", "25dBm", "0.3 pt"])
def test_a_tolerance_of_another_form_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="not a number with a unit") as error:
        Tolerance.parse(text)
    assert "25dB" in error.value.hint and "0.3points" in error.value.hint


def test_the_cheapest_recipe_that_fits_is_chosen() -> None:
    trials = [
        exported(0, 40.0, 900),
        exported(1, 26.0, 300),
        exported(2, 24.9, 100),
        exported(3, 30.0, 200, ram=151),
        Trial(4, "recipe4", SCREENED, Quality(50.0), Quality(50.0), reason="no gain over recipe0"),
        Trial(5, "recipe5", REFUSED, reason="it cannot run"),
    ]
    judged = GOAL.judge(trials)
    verdicts = {one.trial.number: one.verdict for one in judged}
    assert verdicts == {
        0: "fits",
        1: "fits",
        2: "misses the tolerance by 0.1 dB",
        3: "ram 1.01 times the budget",
        4: "no gain over recipe0",
        5: "it cannot run",
    }
    chosen = GOAL.chosen(judged)
    assert chosen is not None and judged[chosen].trial.number == 1
    assert GOAL.chosen(GOAL.judge(trials[2:])) is None


def test_a_recipe_with_fewer_operators_on_the_cpu_is_chosen_whatever_the_npus_cycles() -> None:
    judged = GOAL.judge([exported(0, 30.0, 900), exported(1, 30.0, 10, on_cpu=2)])
    chosen = GOAL.chosen(judged)
    assert chosen is not None and judged[chosen].trial.number == 0


def test_the_cost_to_minimise_decides() -> None:
    trials = [exported(0, 30.0, 900, ram=20), exported(1, 30.0, 100, ram=90)]
    for minimise, number in (("cycles", 1), ("ram", 0)):
        goal = replace(GOAL, minimise=minimise)
        judged = goal.judge(trials)
        chosen = goal.chosen(judged)
        assert chosen is not None and judged[chosen].trial.number == number


def test_the_front_has_what_nothing_beats_in_everything() -> None:
    trials = [
        exported(0, 40.0, 900),
        exported(1, 26.0, 300),
        exported(2, 25.0, 300),
        exported(3, 25.0, 400, ram=10),
        exported(4, 40.0, 900),
        Trial(5, "recipe5", SCREENED, Quality(90.0), Quality(90.0)),
    ]
    assert [trial.number for trial in pareto_front(trials, by_metric=False)] == [0, 1, 3]
    assert [one.trial.number for one in GOAL.judge(trials) if one.on_front] == [1, 3, 0]


def test_the_sampler_prefers_what_fits_then_what_costs_too_much_then_what_is_nearly_accurate() -> None:
    in_order = [
        exported(0, 30.0, 100),
        exported(1, 30.0, 10**9),
        exported(2, 30.0, 100, ram=160),
        exported(3, 30.0, 100, ram=1000),
        exported(4, 24.0, 100),
        Trial(5, "recipe5", SCREENED, Quality(3.0), Quality(3.0)),
        exported(6, -300.0, 100),
        Trial(7, "recipe7", REFUSED, reason="it cannot run"),
    ]
    values = [GOAL.value(trial) for trial in in_order]
    assert values == sorted(values) and len(set(values)) == len(values)
