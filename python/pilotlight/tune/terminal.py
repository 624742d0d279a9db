# SPDX-License-Identifier: Apache-2.0
"""Shows the report of a search in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pilotlight.tune.explain import place, worst_losses
from pilotlight.tune.record import Judged, TuneReport, paste
from pilotlight.tune.wording import first_line, quality_text


def render(report: TuneReport) -> RenderableType:
    """Return a renderable for `rich.console.Console.print`."""
    goal = f"{report.tolerance}" + (f", {report.budget}" if report.budget else "")
    title = Text(f"{report.model} for {report.npu}: {len(report.trials)} recipes, {goal}", style="bold")
    return Group(title, _table(report), *map(Text, _sentences(report)))


def _table(report: TuneReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("recipe", overflow="fold")
    table.add_column("golden against FP32", justify="right")
    for name in ("NPU cycles", "flash", "RAM", "on CPU"):
        table.add_column(name, justify="right")
    table.add_column("", overflow="fold")
    for index, one in enumerate(report.trials):
        chosen = index == report.chosen
        style = "bold green" if chosen else "" if one.fits or one.on_front else "dim"
        table.add_row(">" if chosen else "*" if one.on_front else "", *_cells(one), style=style)
    return table


def _cells(one: Judged) -> list[Text]:
    trial = one.trial
    quality = "" if trial.quality is None else quality_text(trial.quality)
    if trial.quality is not None and trial.costs is None:
        quality = f"({quality})"
    costs = trial.costs
    figures = (
        ("",) * 4 if costs is None else (f"{costs.cycles:,}", f"{costs.flash:,}", f"{costs.ram:,}", str(costs.on_cpu))
    )
    return [Text(trial.recipe), Text(quality), *map(Text, figures), Text(first_line(one.verdict))]


def _sentences(report: TuneReport) -> list[str]:
    lines = ["* on the Pareto front; (quantised PyTorch, not exported)"]
    for label, recipe, blame in report.blamed:
        lost = ", ".join(f"{place(row)} {row.loss_db:.0f} dB" for row in worst_losses(blame))
        if lost:
            lines.append(f"{label} {recipe} loses most in: {lost}")
    lines += [f"note: {note}" for note in report.notes]
    answer = report.answer
    if report.chosen is None:
        lines += [f"why: {reason}" for reason in report.reasons]
    if not report.complete:
        lines.append("the search has not tried all recipes: the same command continues it")
    if answer is not None:
        what = "chosen" if report.chosen is not None else "best, but it does not fit"
        lines += [f"{what}: {answer.trial.recipe}", *(f"  {text}" for text in paste(answer.trial.recipe).values())]
    return lines
