# SPDX-License-Identifier: Apache-2.0
"""What `pilotlight blame` finds out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

# A result whose SQNR falls by more than this below the worst result that goes into it is a large loss.
LARGE_LOSS_DB = 10.0


@dataclass(frozen=True)
class StageAgreement:
    """A result on a stage against the stage before.

    sqnr_db: ratio of signal to difference, None when nothing differs. differing: share of the values that differ.
    max_difference: the largest difference, in real units.
    """

    stage: str
    against: str
    sqnr_db: float | None
    differing: float
    max_difference: float


@dataclass(frozen=True)
class ResultBlame:
    """One result. operator, module, where, source: as in `OperatorReport`. agreements: in the order of the stages.

    loss_db: how much the SQNR of quantising falls here, against the worst input. bound, furthest: what integer
    arithmetic may differ from PyTorch here, and does, in steps of the scale, given the same integers; None on the CPU.
    """

    result: str
    operator: str
    module: str
    where: str
    source: str
    agreements: tuple[StageAgreement, ...]
    loss_db: float
    bound: int | None
    furthest: int | None

    def on(self, stage: str) -> StageAgreement | None:
        return next((agreement for agreement in self.agreements if agreement.stage == stage), None)


@dataclass(frozen=True)
class Blame:
    """model, target: names. stages: in order. results: in the order of computation."""

    model: str
    target: str
    samples: int
    stages: tuple[str, ...]
    results: tuple[ResultBlame, ...]

    @property
    def first_beyond(self) -> ResultBlame | None:
        """The first result of the NPU's program that is further from PyTorch than its arithmetic allows."""
        return next((r for r in self.results if r.furthest is not None and r.furthest > (r.bound or 0)), None)

    @property
    def first_loss(self) -> ResultBlame | None:
        """The first result at which quantising loses much."""
        return next((r for r in self.results if r.loss_db > LARGE_LOSS_DB), None)

    def to_json(self) -> str:
        found = {
            "first_beyond_bound": self.first_beyond.result if self.first_beyond else None,
            "first_large_loss": self.first_loss.result if self.first_loss else None,
        }
        return json.dumps({**asdict(self), **found}, indent=2) + "\n"
