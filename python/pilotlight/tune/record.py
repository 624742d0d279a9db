# SPDX-License-Identifier: Apache-2.0
"""What a search has found: the contents of tune.json, and of a trial in the study."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pilotlight.export.blame.record import Blame

# A recipe that cannot be built, one whose quantised PyTorch was enough to judge it, and one that
# was exported.
REFUSED, SCREENED, EXPORTED = "refused", "screened", "exported"


@dataclass(frozen=True)
class Part:
    """The worst part of the outputs: an output, or a slice of it with much smaller values.

    output: its name or number. axis, index: of the slice; None for the whole output.
    largest: the largest absolute value of the part in FP32. whole: that of the output.
    """

    output: str
    largest: float
    whole: float
    axis: int | None = None
    index: int | None = None

    def __str__(self) -> str:
        return self.output if self.axis is None else f"{self.output}, index {self.index} of axis {self.axis}"


@dataclass(frozen=True)
class MetricQuality:
    """The model's metric: of the outputs, and of FP32."""

    name: str
    value: float
    fp32: float
    higher_is_better: bool = True


@dataclass(frozen=True)
class Quality:
    """Outputs against FP32.

    sqnr_db: of the worst part, None if nothing differs. metric: None if the model has none.
    """

    sqnr_db: float | None
    worst: Part | None = None
    metric: MetricQuality | None = None

    @property
    def decibels(self) -> float:
        """The SQNR as a number to compare with: infinite if nothing differs."""
        return float("inf") if self.sqnr_db is None else self.sqnr_db

    @property
    def metric_loss(self) -> float | None:
        """By how much the metric is worse than that of FP32; below zero if it is better."""
        if self.metric is None:
            return None
        return (self.metric.fp32 - self.metric.value) * (1 if self.metric.higher_is_better else -1)


@dataclass(frozen=True)
class Costs:
    """cycles: Vela's estimate of the NPU's cycles. flash: bytes of the .pte. ram: of the arenas.

    on_cpu: the number of operators on the CPU, whose cycles are unknown.
    """

    cycles: int
    flash: int
    ram: int
    on_cpu: int


@dataclass(frozen=True)
class Trial:
    """One recipe that was tried.

    stage: REFUSED, SCREENED or EXPORTED.
    quality: golden against FP32 if exported, else quantised PyTorch against FP32.
    screened: always quantised PyTorch; None if upstream's quantiser failed and only the export,
        which leaves operators on the CPU, could build it.
    reason: why it was refused or not exported. seconds: of both stages.
    """

    number: int
    recipe: str
    stage: str
    quality: Quality | None = None
    screened: Quality | None = None
    costs: Costs | None = None
    reason: str = ""
    screen_seconds: float = 0.0
    export_seconds: float = 0.0

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Trial:
        """The inverse of `dataclasses.asdict`."""
        # Imported here, because it takes 70 ms and few commands need it.
        from cattrs import structure

        return structure(values, cls)


@dataclass(frozen=True)
class Judged:
    """A trial with its verdict. fits: within tolerance and budget. on_front: no other exported
    recipe is at least as good in everything."""

    trial: Trial
    verdict: str
    fits: bool
    on_front: bool


@dataclass(frozen=True)
class TuneReport:
    """The result of a search.

    tolerance, budget: as the user wrote them. minimise: the cost that decides.
    trials: the front first, then by verdict. chosen, best: indices in `trials`: the cheapest recipe
        that fits, and the most accurate one. None if there is none.
    reasons: sentences on why no recipe fits. notes: other sentences for the user.
    blamed: (label, recipe, losses) for the model's own recipe and for the chosen or the best one.
    complete: whether the search did what was asked; false after Ctrl-C or the end of its minutes.
    interrupted: by Ctrl-C.
    """

    model: str
    source: str
    npu: str
    tolerance: str
    budget: str
    minimise: str
    trials: tuple[Judged, ...]
    chosen: int | None
    best: int | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    blamed: tuple[tuple[str, str, Blame], ...]
    complete: bool
    interrupted: bool = False

    @property
    def answer(self) -> Judged | None:
        """The chosen recipe, or else the most accurate one."""
        index = self.best if self.chosen is None else self.chosen
        return None if index is None else self.trials[index]

    def to_json(self) -> str:
        answer = self.answer
        lines = {} if answer is None else paste(answer.trial.recipe)
        return json.dumps({**asdict(self), "paste": lines}, indent=2, allow_nan=False) + "\n"


def paste(recipe: str) -> dict[str, str]:
    """Return the recipe as a model file and as a command line have it."""
    return {"model_file": f'quantisation="{recipe}"', "command_line": f'--quantise "{recipe}"'}
