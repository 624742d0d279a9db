# SPDX-License-Identifier: Apache-2.0
"""Shows the blame table in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pilotlight.export.blame.record import FP32, LARGE_LOSS_DB, Blame, ResultBlame, StageAgreement


def render(blame: Blame) -> RenderableType:
    """Return a renderable for `rich.console.Console.print`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("result of")
    table.add_column("line", overflow="fold")
    for stage, before in zip(blame.stages[1:], blame.stages, strict=False):
        table.add_column(f"{stage}\nagainst {before}", justify="right")
    for result in blame.results:
        cells = [_cell(result, result.on(stage)) for stage in blame.stages[1:]]
        table.add_row(Text(result.operator), Text(_place(result), style="dim"), *cells)
    samples = f"{blame.samples} sample" + "s" * (blame.samples != 1)
    title = Text(f"{blame.model} for {blame.npu}, {samples}: each result against the stage before", style="bold")
    return Group(title, table, _verdict(blame))


def _cell(result: ResultBlame, agreement: StageAgreement | None) -> Text:
    if agreement is None:
        return Text("")
    if agreement.sqnr_db is None:
        return Text("equal", style="green")
    text = f"{agreement.sqnr_db:.1f} dB"
    if agreement.against == FP32:
        lost = result.loss_db > LARGE_LOSS_DB
        return Text(f"{text} (-{result.loss_db:.0f})", style="red") if lost else Text(text)
    if result.furthest is None or result.bound is None:
        return Text(text)
    beyond = result.furthest > result.bound
    steps = f"{result.furthest} of {result.bound} step" + "s" * (result.bound != 1)
    return Text(f"{text}, {agreement.differing:.1%}, {steps}", style="red" if beyond else "")


def _verdict(blame: Blame) -> Text:
    lines = []
    if beyond := blame.first_beyond:
        lines.append(
            f"The first result that the NPU's arithmetic does not explain: {beyond.operator} at {_place(beyond)}: "
            f"{beyond.furthest} steps from quantised PyTorch, where {beyond.bound} may be"
        )
    else:
        lines.append("Every result that the NPU computes is within the bound of its arithmetic.")
    if lost := blame.first_loss:
        lines.append(
            f"The first large loss by quantising is in {lost.operator} at {_place(lost)}: "
            f"{lost.loss_db:.1f} dB below its inputs."
        )
    elif blame.stages[0] == FP32:
        lines.append(f"No result loses more than {LARGE_LOSS_DB:g} dB by quantising.")
    return Text("\n".join(lines))


def _place(result: ResultBlame) -> str:
    return " ".join(filter(None, (result.where.rpartition("/")[2], result.module))) or "(the input)"
