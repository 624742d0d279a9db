# SPDX-License-Identifier: Apache-2.0
"""The sentences of a check report, shared by terminal and HTML."""

from __future__ import annotations

from pilotlight.check import record
from pilotlight.check.compare import Accuracy, Rounding
from pilotlight.check.record import CheckReport, Latency, Measured, ModelReport, Spread
from pilotlight.link.answers import Statistics
from pilotlight.metrics.wording import difference, figure, told_changes
from pilotlight.stack import StackBound


def title(report: CheckReport) -> str:
    names = " and ".join(model.model for model in report.models)
    return f"{names} on {report.board}, {report.npu or report.models[0].npu}, build {report.build_id}"


def verdict(report: CheckReport) -> str:
    if report.verdict == record.ERROR:
        return "NOT PROVED: " + "; ".join(map(str, report.objections))
    said = [model_verdict(model) for model in report.models]
    if len(said) > 1:
        said = [f"{model.model}: {text}" for model, text in zip(report.models, said, strict=True)]
    return f"{'; '.join(said)}, {report.wall_s:.1f} s"


def model_verdict(model: ModelReport) -> str:
    how = "within the export's tolerance" if model.tolerated_samples else "bit-identical"
    if model.verdict == record.PASS:
        return f"PASS: all {model.samples} samples {how}"
    if model.verdict == record.PARTIAL:
        return f"PARTIAL: {model.samples} of {model.data_set_samples} samples checked, all {how}"
    if model.verdict == record.WEAK:
        return f"WEAK: {model.samples} samples {how}, but the check, or part of it, could not have failed"
    if model.verdict == record.MISMATCH:
        return f"MISMATCH: {model.mismatched_samples} of {model.samples} samples differ"
    return "NOT PROVED"


def samples(report: ModelReport) -> str:
    identical = f"{report.identical_samples} of {report.samples} bit-identical to the golden outputs"
    if not report.tolerated_samples:
        return identical
    return (
        f"{identical}, {report.tolerated_samples} within the tolerance for CPU operators in float: "
        f"{report.values - report.differing_values:,} of {report.values:,} values bit-identical, "
        f"the others at most {report.max_tolerated_difference:g} off"
    )


def accuracy_rows(accuracy: Accuracy) -> list[tuple[str, str, str]]:
    """Return rows of (origin, correct answers, difference to FP32 in points)."""
    by = {
        "device": accuracy.device,
        "golden (TOSA reference)": accuracy.golden,
        "quantised PyTorch": accuracy.quantised,
        "FP32 PyTorch": accuracy.fp32,
    }
    reference = accuracy.points(accuracy.fp32)
    return [
        (who, f"{accuracy.points(n):.2f} %  ({n} of {accuracy.samples})", f"{accuracy.points(n) - reference:+.2f}")
        for who, n in by.items()
    ]


def metric_rows(found: Measured) -> list[tuple[str, str, str]]:
    """Return rows of (origin, value, difference to FP32)."""
    by = {
        "device": found.device,
        "golden (TOSA reference)": found.golden,
        "quantised PyTorch": found.quantised,
        "FP32 PyTorch": found.fp32,
    }
    return [(who, figure(found.name, value), difference(found.name, value, found.fp32)) for who, value in by.items()]


def changes(found: Measured) -> str:
    """Return a sentence on the samples whose answer changed; "" if it is not known."""
    return "" if found.changes is None else told_changes(found.changes, "FP32", "the device")


def rounding(found: Rounding) -> str:
    if not found.differing:
        return "TOSA reference and quantised PyTorch agree in every element"
    return (
        f"TOSA reference and quantised PyTorch differ in {found.differing:,} of {found.elements:,} elements "
        f"({found.samples_touched} samples), by at most {found.max_difference:g}"
    )


# Name of the clock of inference times, by pilotlight.boards.CLOCKS.
INFERENCE_CLOCK = {
    "board": "device clock",
    "instructions": "partly host time",
    "host": "host time",
    "emulator": "emulator's clock",
}
# The CPU's work without waits for the NPU: label, factor, unit.
_CPU_WORK = {
    "board": ("CPU cycles", 1, ""),
    "instructions": ("CPU instructions", 1, ""),
    "host": ("CPU, host time", 1e-6, "ms"),
    "emulator": ("CPU cycles, emulator's estimate", 1, ""),
}


def latency_rows(latency: Latency, *, npu_is_simulated: bool, clock: str) -> list[tuple[str, str]]:
    """Return (label, text) of each cost of an inference. Host time is labelled as such."""
    npu_cycles = "NPU cycles, simulator's estimate" if npu_is_simulated else "NPU cycles"
    label, factor, unit = _CPU_WORK[clock]
    return [
        (npu_cycles, _spread(latency.npu_cycles, 1, "")),
        (label, _spread(latency.cpu_cycles, factor, unit)),
        (f"inference, {INFERENCE_CLOCK[clock]}", _spread(latency.device_us, 1e-3, "ms")),
        ("with transfers, host time", _spread(latency.host_ms, 1, "ms")),
    ]


def memory_rows(memory: Statistics, bound: StackBound | None) -> list[tuple[str, str]]:
    rows = [
        ("method pool", _use(memory.method_pool_used, memory.method_pool_size)),
        ("scratch", _use(memory.temp_pool_used, memory.temp_pool_size)),
        ("planned buffers", f"{memory.planned_size:,} bytes"),
        ("stack", _use(memory.stack_used, memory.stack_size) if memory.stack_used else "not measured on this board"),
    ]
    if bound is not None:
        rows.append(("stack, computed bound", _bound(bound)))
    return rows


def _bound(bound: StackBound) -> str:
    counts = {
        "calls through undeclared pointers": len(bound.unresolved),
        "recursions": len(bound.recursive),
        "functions sized at run time": len(bound.unsized),
    }
    missing = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{bound.bytes:,} bytes" + (f", not counting {missing} (stack.json)" if missing else "")


def remarks(report: CheckReport) -> list[str]:
    """Return notes on retries, noise and earlier faults."""
    found = []
    if report.retries_used:
        found.append(f"{report.retries_used} damaged frames were sent again")
    if report.noise_before_session:
        found.append(f"{report.noise_before_session} frames of someone else were skipped before the session")
    if report.earlier_fault:
        found.append(f"an earlier boot ended in a fault: {report.earlier_fault}")
    return found


def _spread(spread: Spread, factor: float, unit: str) -> str:
    low, median, high = (f"{value * factor:,.3f}" if unit else f"{value:,.0f}" for value in _three(spread))
    return f"{median} {unit} (lowest {low}, highest {high})".replace("  ", " ")


def _three(spread: Spread) -> tuple[float, float, float]:
    return spread.lowest, spread.median, spread.highest


def _use(used: int, size: int) -> str:
    share = f" ({100 * used / size:.0f} %)" if size else ""
    return f"{used:,} of {size:,} bytes{share}"
