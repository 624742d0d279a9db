# SPDX-License-Identifier: Apache-2.0
"""What an export found out: the content of report.json.

>>> Agreement(values=3600, differing=12, max_difference=1).share_equal
0.9966666666666667
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pilotlight.errors import ConfigError

REPORT_NAME = "report.json"
# Below this an output, or a slice of it, gets a warning: the error is a third of the signal.
SQNR_LIMIT_DB = 10.0


@dataclass(frozen=True)
class OperatorReport:
    """One operator of the lowered graph and who runs it.

    name: edge dialect name, "aten.convolution.default".
    module: path of the nn.Module that called it, "features.0"; empty for the model itself.
    where: "file:line" of the user's source, empty when upstream kept no trace.
    source: text of that line.
    delegate: index of the delegate that holds it, None on the CPU.
    reason: why it is not on the NPU, empty when it is.
    inner_where, inner_source: the line of an installed package that calls it, when the user's own line only
        leads there; else empty.
    """

    name: str
    module: str
    where: str
    source: str
    delegate: int | None
    reason: str = ""
    inner_where: str = ""
    inner_source: str = ""


@dataclass(frozen=True)
class MemoryTraffic:
    """What one inference does with one memory, as Vela estimates it."""

    memory: str
    used_bytes: int
    read_bytes: int
    written_bytes: int
    cycles: int
    peak_bytes_per_second: float


@dataclass(frozen=True)
class DelegateReport:
    """One command stream, with Vela's estimate of it. The estimate is of the NPU alone."""

    command_bytes: int
    weight_bytes: int
    scratch_bytes: int
    operators: int
    macs: int
    clock_hz: float
    npu_cycles: int
    total_cycles: int
    memories: tuple[MemoryTraffic, ...]


@dataclass(frozen=True)
class Agreement:
    """How far golden and quantised PyTorch agree; the difference is in steps of the scale, or real for a float."""

    values: int
    differing: int
    max_difference: float

    @property
    def share_equal(self) -> float:
        return 1.0 - self.differing / self.values if self.values else 1.0


@dataclass(frozen=True)
class SliceAccuracy:
    """The worst slice of an output along one of its axes, and how many of `slices` are below `SQNR_LIMIT_DB`.

    largest: the largest value that FP32 has in it, without its sign.
    """

    axis: int
    index: int
    sqnr_golden_db: float
    largest: float
    slices: int
    below_limit: int


@dataclass(frozen=True)
class OutputAccuracy:
    """Errors of one output over all samples, in real units against FP32.

    A signal to quantisation noise ratio is None when there is no noise at all, or no signal.
    worst_slices: of each axis that has slices worth judging.
    """

    name: str
    sqnr_quantised_db: float | None
    sqnr_golden_db: float | None
    max_error_quantised: float
    max_error_golden: float
    agreement: Agreement
    worst_slices: tuple[SliceAccuracy, ...] = ()


@dataclass(frozen=True)
class InputData:
    """What is remarkable about the samples of one input.

    outside: values beyond what calibration has, of `values`. farthest: how far the worst is beyond, in ranges.
    not_finite: samples with NaN or infinity. zero: samples that are all zeros.
    """

    name: str
    samples: int
    values: int
    lowest: float
    highest: float
    outside: int
    farthest: float
    not_finite: int
    zero: int

    @property
    def share_outside(self) -> float:
        return self.outside / self.values if self.values else 0.0


@dataclass(frozen=True)
class OperatorAgreement:
    """Operators of the delegates against quantised PyTorch, each given the same integers as PyTorch.

    results: how many results of operators the delegates compute. compared: how many have a counterpart in PyTorch.
    equal: how many of these are equal in every value. furthest: the largest difference, in steps, within its bound.
    """

    results: int
    compared: int
    equal: int
    furthest: int


@dataclass(frozen=True)
class TopOne:
    """Share of samples whose largest score is at the right label."""

    fp32: float
    quantised: float
    golden: float


@dataclass(frozen=True)
class Sizes:
    pte_bytes: int
    weight_bytes: int
    command_bytes: int


@dataclass(frozen=True)
class ExportReport:
    """report.json. `notes` are sentences the user should read; `seconds` are the parts of the export time.

    warnings: what ruins answers, and what to do. weak: why a check of this could hardly fail.
    depends_on: of the ModelSpec, as absolute patterns.
    """

    model: str
    source: str
    target: str
    system_config: str
    memory_mode: str
    operators: tuple[OperatorReport, ...]
    delegates: tuple[DelegateReport, ...]
    samples: int
    outputs: tuple[OutputAccuracy, ...]
    top_one: TopOne | None
    sizes: Sizes
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()
    operator_agreement: OperatorAgreement | None = None
    inputs: tuple[InputData, ...] = ()
    warnings: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()

    @property
    def on_cpu(self) -> tuple[OperatorReport, ...]:
        return tuple(operator for operator in self.operators if operator.delegate is None)

    @property
    def total_cycles(self) -> int:
        return sum(delegate.total_cycles for delegate in self.delegates)

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())

    def to_json(self) -> str:
        totals = {"total_cycles": self.total_cycles, "total_seconds": round(self.total_seconds, 3)}
        return json.dumps({**asdict(self), **totals}, indent=2) + "\n"

    def save(self, folder: Path) -> None:
        (folder / REPORT_NAME).write_text(self.to_json(), encoding="utf-8")


def load_report(folder: Path) -> ExportReport:
    """Read what `ExportReport.save` wrote; raise ConfigError when it is missing or damaged."""
    from cattrs import BaseValidationError, structure  # here, since few commands need it and it takes 70 ms

    path = folder / REPORT_NAME
    try:
        return structure(json.loads(path.read_text(encoding="utf-8")), ExportReport)
    except (OSError, ValueError, BaseValidationError) as error:
        raise ConfigError(
            f"the export report {path} cannot be read: {error}", hint="build again, from nothing: west build -p always"
        ) from error
