# SPDX-License-Identifier: Apache-2.0
"""The result of `pilotlight blame`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

# Name of the first stage. A model that came quantised does not have it.
FP32 = "FP32"

# The loss is large if a result's SQNR is more than this below the SQNR of its worst input.
LARGE_LOSS_DB = 10.0


@dataclass(frozen=True)
class StageAgreement:
    """A result on `stage` compared with the same result on the stage before, `against`.

    sqnr_db: ratio of signal to difference in dB, None if nothing differs.
    differing: share of the values that differ. max_difference: the largest, in real units.
    """

    stage: str
    against: str
    sqnr_db: float | None
    differing: float
    max_difference: float


@dataclass(frozen=True)
class ResultBlame:
    """One operator's result.

    result: name of its quantiser. operator, module, where, source: as in `OperatorReport`.
    agreements: in the order of the stages.
    loss_db: by how much the SQNR of quantising is below that of the worst input; 0 without FP32.
    bound, furthest: the permitted and the largest difference between TOSA and PyTorch for the same
        input integers, in steps of the scale; None on the CPU.
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
        """Return the comparison on `stage`, None if the stage does not show this result."""
        return next((agreement for agreement in self.agreements if agreement.stage == stage), None)


@dataclass(frozen=True)
class Blame:
    """All results. model, npu: names. samples: their number. stages: names, in order.

    results: in the order of computation.
    """

    model: str
    npu: str
    samples: int
    stages: tuple[str, ...]
    results: tuple[ResultBlame, ...]

    @property
    def first_beyond(self) -> ResultBlame | None:
        """The first result of the NPU's program that exceeds its bound, None if there is none."""
        return next((r for r in self.results if r.furthest is not None and r.furthest > (r.bound or 0)), None)

    @property
    def first_loss(self) -> ResultBlame | None:
        """The first result with a loss above LARGE_LOSS_DB, None if there is none."""
        return next((r for r in self.results if r.loss_db > LARGE_LOSS_DB), None)

    def to_json(self) -> str:
        found = {
            "first_beyond_bound": self.first_beyond.result if self.first_beyond else None,
            "first_large_loss": self.first_loss.result if self.first_loss else None,
        }
        return json.dumps({**asdict(self), **found}, indent=2) + "\n"
