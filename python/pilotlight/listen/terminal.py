# SPDX-License-Identifier: Apache-2.0
"""Terminal output: a table during the stream, a report at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pilotlight.listen.report import ListenReport
from pilotlight.listen.stream import Recording

_SHOWN = 8


def live_table(recording: Recording, labels: Sequence[str], sound_s: float) -> Table:
    """Return a table of the device's reports so far."""
    rate = recording.description.sample_rate_hz
    table = Table(title=f"{recording.identity.board}  {recording.identity.npu_config}", title_justify="left")
    for column in ("sound", "keyword", "score"):
        table.add_column(column, justify="left" if column == "keyword" else "right")
    for one in recording.keywords[-_SHOWN:]:
        table.add_row(f"{one.end / rate:.2f} s", escape(labels[one.index]), f"{one.score:.2f}")
    costs = recording.statistics
    if costs:
        cpu_us = costs.features_us + costs.network_us + costs.decision_us
        now_s = costs.samples / rate
        cpu = cpu_us / 1e6 / max(now_s, 1e-9)
        npu = costs.npu_cycles / recording.description.clock_hz / max(now_s, 1e-9)
        table.caption = (
            f"{now_s:.1f} of {sound_s:.1f} s   {costs.inferences} inferences   CPU {cpu:.1%}"
            f"   NPU {npu:.1%}   lost samples {costs.lost_samples}"
        )
    return table


def render(console: Console, report: ListenReport) -> None:
    """Print the report."""
    by_clock = "by the emulator's clock" if report.is_emulated else "by the device's clock"
    heard = Table("at", "keyword", "score", "word ended", "latency", "of it computing")
    for one in report.keywords:
        latency = "" if one.audio_latency_s is None else f"{1e3 * (one.audio_latency_s + one.compute_s):.0f} ms"
        ended = "" if one.word_end_s is None else f"{one.word_end_s:.2f} s"
        if report.labelled and one.word_end_s is None:
            ended = "[red]nobody said it[/red]"
        heard.add_row(
            f"{one.at_s:.2f} s",
            escape(one.keyword),
            f"{one.score:.2f}",
            ended,
            latency,
            f"{1e3 * one.compute_s:.1f} ms",
        )
    console.print(heard)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    if labelled := report.labelled:
        missed = "".join(f", missed {escape(word.label)} at {word.start_s:.2f} s" for word in labelled.missed)
        table.add_row("keywords", f"{labelled.heard} of {labelled.expected} heard, {labelled.false} false{missed}")
    costs = report.statistics
    table.add_row("sound", f"{report.sound_s:.2f} s in {report.device_s:.2f} s, {report.asleep_s:.2f} s of them asleep")
    table.add_row("CPU", f"{report.load.cpu:.2%} of the sound's time, {by_clock}: {report.us_per_frame:.0f} µs a frame")
    table.add_row(
        "NPU",
        f"{report.load.npu:.2%} of the sound's time at the board's clock: "
        f"{report.npu_cycles_per_inference:,.0f} cycles an inference, {costs.inferences} inferences",
    )
    table.add_row("duty cycle", f"{report.load.awake:.2%} awake")
    table.add_row("ring", f"{costs.most_ring_samples} samples at most, {costs.lost_samples} lost to overruns")
    table.add_row("stack", f"{costs.stack_used_bytes:,} of {costs.stack_size_bytes:,} bytes used")
    console.print(table, highlight=False)
