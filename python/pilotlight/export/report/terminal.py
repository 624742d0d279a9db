# SPDX-License-Identifier: Apache-2.0
"""The export report for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pilotlight.export.graph.source_lines import within
from pilotlight.export.graph.user_operators import short_name
from pilotlight.export.report.report import (
    DelegateReport,
    ExportReport,
    InputData,
    OperatorAgreement,
    OperatorReport,
    OutputAccuracy,
)
from pilotlight.metrics.wording import figure, told_changes

_LISTED_MODULES = 3


def render(report: ExportReport) -> RenderableType:
    """Return a renderable for `rich.console.Console.print`."""
    parts: list[RenderableType] = [
        Text(f"{report.model} for {report.npu} ({report.system_config}, {report.memory_mode})", style="bold"),
        _operators(report),
        _facts(report),
    ]
    parts += [Text(f"note: {note}", style="yellow") for note in report.notes]
    return Group(*parts, render_findings(report.warnings, report.weak))


def render_findings(warnings: Sequence[str], weak: Sequence[str]) -> RenderableType:
    """Return each warning and each reason for a weak check as a paragraph."""
    texts = [Text(f"warning: {text}", style="bold yellow") for text in warnings]
    return Group(*texts, *(Text(f"WEAK, the check could hardly fail: {text}", style="bold red") for text in weak))


def _operators(report: ExportReport) -> RenderableType:
    delegated = Counter(operator.name for operator in report.operators if operator.delegate is not None)
    listed = ", ".join(f"{count} {short_name(name)}" for name, count in delegated.items())
    streams = len(report.delegates)
    where = f"{streams} command stream" + "s" * (streams != 1)
    parts: list[RenderableType] = [Text(f"on the NPU: {sum(delegated.values())} operators in {where} ({listed})")]
    if not delegated:
        parts = [Text("on the NPU: none")]
    if not report.on_cpu:
        return Group(*parts, Text("on the CPU: none"))
    return Group(*parts, Text("on the CPU:"), *_by_line(report.on_cpu))


def _by_line(operators: tuple[OperatorReport, ...]) -> list[Text]:
    """Return the operators on the CPU, grouped by source line, each reason once per group."""
    lines: dict[tuple[str, str, str], list[OperatorReport]] = {}
    for operator in operators:
        place = (operator.where, operator.source, operator.module if not operator.where else "")
        lines.setdefault(place, []).append(operator)
    texts = []
    for (where, source, module), here in lines.items():
        heading = _near(where) or (f"module {module}" if module else "(line unknown)")
        texts.append(Text(f"  {heading}  ").append(source, style="dim"))
        inside: dict[tuple[str, str], list[OperatorReport]] = {}
        for operator in here:
            inside.setdefault((operator.inner_where, operator.inner_source), []).append(operator)
        for (inner_where, inner_source), group in inside.items():
            within_it = within(_modules(group) if where else "", inner_where, inner_source)
            texts += [Text(f"    {within_it}", style="dim")] if within_it else []
            texts += _reasons(group)
    return texts


def _modules(operators: list[OperatorReport]) -> str:
    """Return the paths of the operators' modules, at most the first few."""
    paths = list(dict.fromkeys(operator.module for operator in operators if operator.module))
    rest = len(paths) - _LISTED_MODULES
    return ", ".join(paths[:_LISTED_MODULES]) + (f" and {rest} more" if rest > 0 else "")


def _reasons(operators: list[OperatorReport]) -> list[Text]:
    why: dict[str, list[str]] = {}
    for operator in operators:
        if not operator.name.startswith("quantized_decomposed."):
            why.setdefault(operator.reason, []).append(short_name(operator.name))
    texts = [Text(f"    {', '.join(dict.fromkeys(names))}: {reason}") for reason, names in why.items()]
    conversions = len(operators) - sum(map(len, why.values()))
    if conversions:
        texts.append(Text(f"    and {conversions} conversion{'s' * (conversions != 1)} between integers and float"))
    return texts


def _facts(report: ExportReport) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for index, delegate in enumerate(report.delegates):
        name = f"delegate {index}" if len(report.delegates) > 1 else "Vela's estimate"
        table.add_row(name, Text(_estimate(delegate)))
        for memory in delegate.memories:
            traffic = f"{memory.read_bytes:,} read, {memory.written_bytes:,} written per inference"
            peak = f"{memory.peak_bytes_per_second / 1e9:.2f} GB/s at most"
            table.add_row(f"  {memory.memory}", Text(f"{memory.used_bytes:,} bytes used; {traffic}; {peak}"))
    sizes = report.sizes
    table.add_row("quantised", Text(report.recipe or "by the model itself"))
    table.add_row(
        "sizes", f".pte {sizes.pte_bytes:,}, weights {sizes.weight_bytes:,}, commands {sizes.command_bytes:,} bytes"
    )
    for output in report.outputs:
        table.add_row(output.name, Text(_accuracy(output)))
        table.add_row("", Text(_agreement(output)))
        if output.worst_slices:
            table.add_row("", Text(_slices(output)))
    for given in report.inputs:
        if given.outside:
            table.add_row(given.name, Text(_outside(given)))
    if report.operator_agreement is not None and report.operator_agreement.compared:
        table.add_row("operators", Text(_operator_agreement(report.operator_agreement)))
    if report.metric is not None:
        stages = {"FP32": report.metric.fp32, "quantised": report.metric.quantised, "golden": report.metric.golden}
        told = ", ".join(f"{stage} {figure(report.metric.name, value)}" for stage, value in stages.items())
        table.add_row(report.metric.name, f"{told} of {report.samples} samples")
        table.add_row("", Text(told_changes(report.metric.changes, "FP32", "golden")))
    longest = sorted(report.seconds.items(), key=lambda part: -part[1])
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in longest if seconds >= 0.05)
    table.add_row("export time", f"{report.total_seconds:.1f} s ({parts})")
    return table


def _estimate(delegate: DelegateReport) -> str:
    milliseconds = delegate.total_cycles / delegate.clock_hz * 1e3
    return (
        f"{delegate.total_cycles:,} cycles ({delegate.npu_cycles:,} of computing), "
        f"{milliseconds:.3f} ms at {delegate.clock_hz / 1e6:.0f} MHz, {delegate.macs:,} MACs, "
        f"scratch {delegate.scratch_bytes:,} bytes"
    )


def _accuracy(output: OutputAccuracy) -> str:
    def decibel(value: float | None) -> str:
        return "no error" if value is None else f"{value:.1f} dB"

    return (
        f"against FP32: SQNR {decibel(output.sqnr_golden_db)}, max error {output.max_error_golden:.4g} "
        f"(quantised PyTorch: {decibel(output.sqnr_quantised_db)}, {output.max_error_quantised:.4g})"
    )


def _agreement(output: OutputAccuracy) -> str:
    agreement = output.agreement
    if not agreement.differing:
        return f"golden equals quantised PyTorch in all {agreement.values:,} values"
    return (
        f"golden differs from quantised PyTorch by rounding in {agreement.differing:,} of {agreement.values:,} values, "
        f"at most by {agreement.max_difference:g}"
    )


def _operator_agreement(found: OperatorAgreement) -> str:
    steps = f"{found.furthest} step" + "s" * (found.furthest != 1)
    rest = f"the others differ by at most {steps}" if found.equal < found.compared else "none differs"
    return (
        f"{found.compared} of {found.results} results compared with quantised PyTorch, given the same integers: "
        f"{found.equal} equal, {rest}"
    )


def _slices(output: OutputAccuracy) -> str:
    worst = (
        f"{found.sqnr_golden_db:.1f} dB at index {found.index} of axis {found.axis}" for found in output.worst_slices
    )
    return f"worst slice: {', '.join(worst)}"


def _outside(given: InputData) -> str:
    return (
        f"{given.share_outside:.2%} of the values are outside the calibrated range {given.lowest:.4g} to "
        f"{given.highest:.4g}, by up to {given.farthest:.2g} times that range"
    )


def _near(where: str) -> str:
    """Return a path below the working folder relative to it."""
    path, _, line = where.rpartition(":")
    cwd = Path.cwd()
    return f"{Path(path).relative_to(cwd)}:{line}" if path and Path(path).is_relative_to(cwd) else where
