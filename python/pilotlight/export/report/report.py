# SPDX-License-Identifier: Apache-2.0
"""The export report: the contents of report.json.

>>> Agreement(values=3600, differing=12, max_difference=1).share_equal
0.9966666666666667
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pilotlight.errors import ConfigError
from pilotlight.metrics.changes import Changes

REPORT_NAME = "report.json"
# An output or a slice below this gets a warning. At 10 dB the error is a third of the signal.
SQNR_LIMIT_DB = 10.0


@dataclass(frozen=True)
class OperatorReport:
    """One operator of the lowered graph, and the delegate or CPU that runs it.

    name: edge dialect name, "aten.convolution.default".
    module: path of the nn.Module that called it, "features.0"; empty for the model itself.
    where: "file:line" of the user's source, empty if upstream kept no trace.
    source: text of that line.
    delegate: index of its delegate, None on the CPU.
    reason: why it is not on the NPU, empty if it is.
    inner_where, inner_source: the line of an installed package that calls it, if the user's line
        only calls that package; else empty.
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
    """Vela's estimate of one inference's use of one memory."""

    memory: str
    used_bytes: int
    read_bytes: int
    written_bytes: int
    cycles: int
    peak_bytes_per_second: float


@dataclass(frozen=True)
class DelegateReport:
    """One command stream, with Vela's estimate. The estimate covers the NPU only."""

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
    """Comparison of golden with quantised PyTorch.

    max_difference: in steps of the scale; for a float, in real units.
    """

    values: int
    differing: int
    max_difference: float

    @property
    def share_equal(self) -> float:
        return 1.0 - self.differing / self.values if self.values else 1.0


@dataclass(frozen=True)
class SliceAccuracy:
    """The worst slice of an output along one axis.

    index: of the worst slice. largest: its largest absolute value in FP32.
    slices: the number of slices. below_limit: how many of them are below `SQNR_LIMIT_DB`.
    """

    axis: int
    index: int
    sqnr_golden_db: float
    largest: float
    slices: int
    below_limit: int


@dataclass(frozen=True)
class OutputAccuracy:
    """Errors of one output against FP32, over all samples, in real units.

    sqnr_…_db: signal to quantisation noise ratio, None if there is no noise or no signal.
    worst_slices: one for each axis with slices large enough to judge.
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
    """Statistics of the samples of one input.

    lowest, highest: the calibrated range.
    outside: how many of `values` are outside this range. farthest: how far the worst one is
        outside, in multiples of the range.
    not_finite: number of samples with NaN or infinity. zero: number of samples that are all zeros.
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
    """Operators of the delegates against quantised PyTorch, with the same input integers.

    results: number of quantised results in PyTorch. compared: how many of them a delegate computes
        too. equal: how many of these are equal in every value.
    furthest: the largest difference, in steps of the scale.
    """

    results: int
    compared: int
    equal: int
    furthest: int


@dataclass(frozen=True)
class MetricReport:
    """The metric of the outputs at each stage. changes: of the answers, from FP32 to golden."""

    name: str
    higher_is_better: bool
    fp32: float
    quantised: float
    golden: float
    changes: Changes


@dataclass(frozen=True)
class Sizes:
    pte_bytes: int
    weight_bytes: int
    command_bytes: int


@dataclass(frozen=True)
class ExportReport:
    """The contents of report.json.

    seconds: time of each step. notes: sentences for the user.
    warnings: causes of inaccurate outputs, with remedies. weak: reasons why a check could hardly
        fail.
    depends_on: from the ModelSpec, as absolute patterns.
    recipe: text of the quantisation's recipe (recipe.py); "" if the model came quantised.
    """

    model: str
    source: str
    npu: str
    system_config: str
    memory_mode: str
    operators: tuple[OperatorReport, ...]
    delegates: tuple[DelegateReport, ...]
    samples: int
    outputs: tuple[OutputAccuracy, ...]
    metric: MetricReport | None
    sizes: Sizes
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()
    operator_agreement: OperatorAgreement | None = None
    inputs: tuple[InputData, ...] = ()
    warnings: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    recipe: str = ""

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
    """Read report.json. Raises ConfigError if the file is missing or damaged."""
    # Imported here, because it takes 70 ms and few commands need it.
    from cattrs import BaseValidationError, structure

    path = folder / REPORT_NAME
    try:
        return structure(json.loads(path.read_text(encoding="utf-8")), ExportReport)
    except (OSError, ValueError, BaseValidationError) as error:
        raise ConfigError(
            f"the export report {path} cannot be read: {error}", hint="build again, from nothing: west build -p always"
        ) from error
