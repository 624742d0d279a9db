# SPDX-License-Identifier: Apache-2.0
"""What the user asks of a recipe: a tolerance and a budget."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pilotlight.errors import ConfigError
from pilotlight.tune.record import EXPORTED, Costs, Judged, Quality, Trial

COSTS = ("cycles", "flash", "ram")
_FORM = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(dB|%|points?)", re.IGNORECASE)
_HOW = "25dB (SQNR of the worst output), 0.3points or 0.5% (loss of the metric)"


@dataclass(frozen=True)
class Tolerance:
    """How far a recipe may be from FP32.

    unit: "dB": the SQNR of the worst output is at least `limit`. "points": the metric is at most
    `limit` hundredths worse. "%": the metric is at most this share of FP32's metric worse.

    >>> str(Tolerance.parse("25 db")), str(Tolerance.parse("0.3points"))
    ('25dB', '0.3points')
    """

    limit: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Raises ConfigError for another form."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ConfigError(f"--tolerance {text}: not a number with a unit", hint=_HOW)
        unit = {"d": "dB", "%": "%", "p": "points"}[found[2][0].lower()]
        return cls(float(found[1]), unit)

    def __str__(self) -> str:
        return f"{self.limit:g}{self.unit}"

    @property
    def needs_metric(self) -> bool:
        return self.unit != "dB"

    def shortfall(self, quality: Quality) -> float:
        """Return by how much `quality` misses the limit, in the limit's unit; at most 0 if it does
        not.

        >>> from pilotlight.tune.record import MetricQuality
        >>> worse = Quality(30.0, metric=MetricQuality("top-1", 0.96, fp32=0.98))
        >>> Tolerance.parse("1points").shortfall(worse)
        1.0
        """
        if not self.needs_metric:
            return self.limit - quality.decibels
        loss = quality.metric_loss
        assert loss is not None and quality.metric is not None
        if self.unit == "points":
            return round(100 * loss - self.limit, 9)
        return round(100 * loss / abs(quality.metric.fp32) - self.limit, 9) if quality.metric.fp32 else math.inf

    @property
    def slack(self) -> float:
        """By how much quantised PyTorch may miss the limit without being the last word.

        Golden outputs differ from it by rounding.
        """
        return {"dB": 1.0, "points": 0.5, "%": 0.5}[self.unit]


@dataclass(frozen=True)
class Budget:
    """The most that a recipe may cost; None: as much as it needs."""

    cycles: int | None = None
    flash: int | None = None
    ram: int | None = None

    def exceeded(self, costs: Costs) -> dict[str, float]:
        """Return cost -> ratio to its limit, for each that is above.

        >>> Budget(ram=100).exceeded(Costs(5, 5, 150, 0))
        {'ram': 1.5}
        """
        limits = {"cycles": self.cycles, "flash": self.flash, "ram": self.ram}
        spent = {"cycles": costs.cycles, "flash": costs.flash, "ram": costs.ram}
        return {name: spent[name] / limit for name, limit in limits.items() if limit and spent[name] > limit}

    def __str__(self) -> str:
        limits = (("cycles", self.cycles, ""), ("flash", self.flash, " bytes"), ("RAM", self.ram, " bytes"))
        return ", ".join(f"{name} up to {limit:,}{unit}" for name, limit, unit in limits if limit)


@dataclass(frozen=True)
class Goal:
    """minimise: which of COSTS decides between recipes that fit."""

    tolerance: Tolerance
    budget: Budget
    minimise: str = "cycles"

    def value(self, trial: Trial) -> float:
        """Return what the sampler minimises.

        A recipe that fits is below one that costs too much, which is below an inaccurate one, which
        is below one that cannot be built.
        """
        if trial.quality is None:
            return 1000.0
        shortfall = self.tolerance.shortfall(trial.quality)
        if shortfall > 0 or trial.costs is None:
            return 100.0 + min(max(shortfall, 0.0), 800.0)
        above = sum(math.log10(ratio) for ratio in self.budget.exceeded(trial.costs).values())
        return 50.0 + above if above else math.log10(1 + self._cost(trial.costs))

    def judge(self, trials: Sequence[Trial]) -> list[Judged]:
        """Return the trials with their verdicts, in the order in which a table shows them."""
        front = {trial.number for trial in pareto_front(trials, by_metric=self.tolerance.needs_metric)}
        judged = [self._judged(trial, on_front=trial.number in front) for trial in trials]
        return sorted(judged, key=_order)

    def chosen(self, judged: Sequence[Judged]) -> int | None:
        """Return the index of the cheapest recipe that fits.

        Operators on the CPU count first, because Vela's cycles leave them out.
        """
        fitting = [index for index, one in enumerate(judged) if one.fits]
        return min(fitting, key=lambda index: self._price(judged[index].trial), default=None)

    def _price(self, trial: Trial) -> tuple[float, ...]:
        assert trial.costs is not None and trial.quality is not None
        costs = trial.costs
        others = (costs.cycles, costs.flash, costs.ram, -trial.quality.decibels, trial.number)
        return (costs.on_cpu, self._cost(costs), *others)

    def _cost(self, costs: Costs) -> int:
        return {"cycles": costs.cycles, "flash": costs.flash, "ram": costs.ram}[self.minimise]

    def _judged(self, trial: Trial, *, on_front: bool) -> Judged:
        if trial.quality is None:
            return Judged(trial, trial.reason, False, False)
        shortfall = self.tolerance.shortfall(trial.quality)
        if shortfall > 0:
            unit = {"dB": " dB", "points": " points", "%": " %"}[self.tolerance.unit]
            return Judged(trial, f"misses the tolerance by {shortfall:.3g}{unit}", False, on_front)
        if trial.costs is None:
            return Judged(trial, trial.reason, False, False)
        above = self.budget.exceeded(trial.costs)
        if above:
            listed = ", ".join(f"{name} {ratio:.2f} times the budget" for name, ratio in above.items())
            return Judged(trial, listed, False, on_front)
        return Judged(trial, "fits", True, on_front)


def pareto_front(trials: Sequence[Trial], *, by_metric: bool) -> list[Trial]:
    """Return the exported trials that no other is at least as good as in quality and all costs.

    by_metric: the quality is the metric, not the SQNR.
    """
    exported = [trial for trial in trials if trial.stage == EXPORTED]
    points = {trial.number: _point(trial, by_metric=by_metric) for trial in exported}
    kept = []
    for trial in exported:
        mine = points[trial.number]
        beaten = any(
            all(theirs <= own for theirs, own in zip(other, mine, strict=True))
            and (other != mine or number < trial.number)
            for number, other in points.items()
            if number != trial.number
        )
        if not beaten:
            kept.append(trial)
    return kept


def _point(trial: Trial, *, by_metric: bool) -> tuple[float, ...]:
    assert trial.quality is not None and trial.costs is not None
    loss = trial.quality.metric_loss if by_metric else -trial.quality.decibels
    assert loss is not None
    return (loss, trial.costs.cycles, trial.costs.flash, trial.costs.ram, trial.costs.on_cpu)


def _order(judged: Judged) -> tuple[float, ...]:
    trial = judged.trial
    group = 0 if judged.on_front else 1 if judged.fits else 2 if trial.costs else 3 if trial.quality else 4
    cost = trial.costs.cycles if trial.costs else 0
    return (group, cost, -trial.quality.decibels if trial.quality else 0, trial.number)
