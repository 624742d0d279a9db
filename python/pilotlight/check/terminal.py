# SPDX-License-Identifier: Apache-2.0
"""Terminal output of a check: a progress bar, then tables and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pilotlight.check import record, wording
from pilotlight.check.record import CheckReport, ModelReport
from pilotlight.check.run import Listener
from pilotlight.link.answers import LogLine
from pilotlight.link.messages import LogLevel

_COLOURS = {record.PASS: "bold green", record.PARTIAL: "bold yellow", record.WEAK: "bold yellow"}
_MISMATCHES_SHOWN = 5


@contextmanager
def progress(console: Console, *, show_log: bool) -> Iterator[Listener]:
    """Show a progress bar, and device log lines above it: all, or only errors."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("checking", total=None)

        def on_sample(done: int, samples: int) -> None:
            bar.update(task, completed=done, total=samples)

        def on_log(line: LogLine) -> None:
            if show_log or line.level >= LogLevel.ERROR:
                console.print(f"[dim]device {line.level.name.lower()}:[/dim] {escape(line.text)}", highlight=False)

        yield Listener(on_sample, on_log)


def render(console: Console, report: CheckReport) -> None:
    """Print the report: a section per model, then the verdict."""
    console.print(f"[bold]check[/bold]  {escape(wording.title(report))}", highlight=False)
    for model in report.models:
        if len(report.models) > 1:
            console.print(f"[bold]{model.model}[/bold]  {escape(wording.model_verdict(model))}", highlight=False)
        console.print(_section(report, model), highlight=False)
    remarks = _grid()
    for remark in wording.remarks(report):
        remarks.add_row("note", escape(remark))
    if remarks.row_count:
        console.print(remarks, highlight=False)
    console.print(f"[{_COLOURS.get(report.verdict, 'bold red')}]{escape(wording.verdict(report))}", highlight=False)


def _section(report: CheckReport, model: ModelReport) -> Table:
    table = _grid()
    table.add_row("samples", wording.samples(model))
    if model.accuracy:
        _add(
            table,
            "accuracy",
            [(who, f"{share}  {points} points") for who, share, points in wording.accuracy_rows(model.accuracy)],
        )
    if model.metric:
        _add_metric(table, model)
    if model.rounding:
        table.add_row("rounding", wording.rounding(model.rounding))
    if model.latency:
        rows = wording.latency_rows(model.latency, npu_is_simulated=report.npu_is_simulated, clock=report.clock)
        _add(table, "latency", rows)
    if model.memory:
        _add(table, "memory", wording.memory_rows(model.memory, report.stack_bound))
    for text in model.warnings:
        table.add_row("[yellow]warning[/yellow]", escape(text))
    for text in model.weak:
        table.add_row("[yellow]weak[/yellow]", escape(text))
    for found in model.mismatches[:_MISMATCHES_SHOWN]:
        table.add_row("[red]differs[/red]", escape(str(found)))
    if model.mismatched_samples > _MISMATCHES_SHOWN:
        table.add_row("", f"and more: {model.mismatched_samples} samples in all")
    return table


def _add_metric(table: Table, model: ModelReport) -> None:
    found = model.metric
    assert found is not None
    if found.problem:
        table.add_row(found.name, escape(f"not computed: {found.problem}"))
        return
    # The accuracy counts the same answers.
    if not model.accuracy or found.name != "top-1":
        rows = [(who, f"{value}  {change}") for who, value, change in wording.metric_rows(found)]
        _add(table, found.name, rows)
    table.add_row("changed", escape(wording.changes(found)))


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    return table


def _add(table: Table, name: str, rows: list[tuple[str, str]]) -> None:
    inner = Table.grid(padding=(0, 2))
    for row in rows:
        inner.add_row(*row)
    table.add_row(name, inner)
