# SPDX-License-Identifier: Apache-2.0
"""The result of a check, and its history: <build>/check/<time>.json, and latest.json beside it.

Each check of a finished build leaves a record, even if it ended in an error. latest.json is removed
when a check begins, so a nightly job never reads the verdict of an earlier night.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import ModelInfo
from pilotlight.check.compare import Accuracy, Mismatched, Rounding
from pilotlight.check.data_set import DataSet
from pilotlight.errors import Mismatch, PilotlightError, WeakCheck
from pilotlight.files import write_atomically
from pilotlight.link.answers import Statistics
from pilotlight.metrics.changes import Changes
from pilotlight.stack import StackBound

SCHEMA = 3

PASS = "pass"
PARTIAL = "partial"  # All requested samples are right, but fewer than all were requested.
WEAK = "weak"  # All are right, but the check, or a part of it, cannot fail: see `ModelReport.weak`.
MISMATCH = "mismatch"
ERROR = "error"


@dataclass(frozen=True)
class Spread:
    """A quantity measured once per sample."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(float(np.median(values)), float(min(values)), float(max(values)))


@dataclass(frozen=True)
class Latency:
    """Times per inference.

    device_us: by the device's clock. host_ms: by the host's clock, with both transfers.
    cpu_cycles: without the waits for the NPU. `CheckReport.clock` says what `device_us` and
        `cpu_cycles` count.
    """

    device_us: Spread
    cpu_cycles: Spread
    npu_cycles: Spread
    host_ms: Spread


@dataclass(frozen=True)
class Observations:
    """The data for the pictures. The pictures are not part of the JSON record."""

    info: ModelInfo
    data: DataSet
    outputs: tuple[NDArray[Any], ...]
    device_us: tuple[float, ...]


@dataclass(frozen=True)
class Measured:
    """The model's metric at each stage. changes: of the answers, from FP32 to the device.

    problem: why there are no figures; "" if there are.
    """

    name: str
    higher_is_better: bool
    fp32: float = 0.0
    quantised: float = 0.0
    golden: float = 0.0
    device: float = 0.0
    changes: Changes | None = None
    problem: str = ""


@dataclass(frozen=True)
class ModelReport:
    """The results for one model of the image.

    npu: the NPU that it was exported for.
    identical_samples: bit-identical samples.
    tolerated_samples: samples within the tolerance for CPU operators in float (`bundle.Tolerance`).
    mismatched_samples: all other samples.
    warnings, weak: the export's findings, see `bundle.ModelInfo`.
    """

    model: str
    npu: str
    verdict: str = ERROR
    pte_sha256: str = ""
    samples: int = 0
    data_set_samples: int = 0
    identical_samples: int = 0
    tolerated_samples: int = 0
    mismatched_samples: int = 0
    values: int = 0
    differing_values: int = 0
    max_tolerated_difference: float = 0.0
    mismatches: tuple[Mismatched, ...] = ()
    warnings: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    metric: Measured | None = None
    rounding: Rounding | None = None
    latency: Latency | None = None
    memory: Statistics | None = None
    observations: Observations | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class CheckReport:
    """The result of one check. PASS means that this build computed every sample of every model
    right.

    npu: the NPU that the device reported; "" if it reported none.
    npu_is_simulated: the NPU's cycles are the simulator's estimate, not a measurement.
    clock: one of pilotlight.boards.CLOCKS. With "instructions", cpu_cycles are instructions, and
        device_us contains host time. With "host", both are host time, cpu_cycles in nanoseconds.
    """

    verdict: str
    board: str
    build_id: str
    started: datetime
    models: tuple[ModelReport, ...]
    wall_s: float = 0.0
    npu: str = ""
    npu_is_simulated: bool = False
    clock: str = "board"
    boot_id: int = 0
    stack_bound: StackBound | None = None
    retries_used: int = 0
    noise_before_session: int = 0
    earlier_fault: str = ""
    log: tuple[str, ...] = ()
    objections: tuple[PilotlightError, ...] = ()

    @property
    def failure(self) -> PilotlightError | None:
        """The error that the command exits with; None for PASS and PARTIAL."""
        if self.objections:
            return self.objections[0]
        for model in self.models:
            if model.verdict == MISMATCH:
                return Mismatch(
                    f"{model.model}: {model.mismatched_samples} of {model.samples} samples differ from the golden "
                    f"output; first: {model.mismatches[0]}",
                    hint="run `pilotlight simulate` on the same .pte: it shows whether the firmware or the compiled "
                    "model is wrong",
                )
        for model in self.models:
            if model.verdict == WEAK:
                return WeakCheck(
                    f"{model.model}: the outputs are right, but the check, or part of it, could not have failed: "
                    f"{'; '.join(model.weak)}",
                    hint="correct the model or its data set, then build again",
                )
        return None

    def to_json(self) -> dict[str, Any]:
        record = asdict(_without_observations(self))
        for model in record["models"]:
            del model["observations"]
        record["started"] = self.started.isoformat()
        failure = self.failure
        record["exit_code"] = failure.exit_code if failure else 0
        record["objections"] = [_error_json(error) for error in self.objections]
        return {"schema": SCHEMA, **record}


def forget_latest(folder: Path) -> None:
    """Remove latest.json from the history in `folder`."""
    (folder / "latest.json").unlink(missing_ok=True)


def save(folder: Path, report: CheckReport) -> Path:
    """Add the report to the history in `folder` and return its file."""
    text = json.dumps(report.to_json(), indent=2) + "\n"
    path = folder / f"{report.started:%Y%m%dT%H%M%S.%fZ}.json"
    write_atomically(path, text)
    write_atomically(folder / "latest.json", text)
    return path


def _without_observations(report: CheckReport) -> CheckReport:
    # asdict() makes deep copies; the record needs neither arrays nor exceptions.
    return replace(report, models=tuple(replace(model, observations=None) for model in report.models), objections=())


def _error_json(error: PilotlightError) -> dict[str, Any]:
    return {
        "error": type(error).__name__,
        "message": str(error),
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
