# SPDX-License-Identifier: Apache-2.0
"""Terminal output of `west generate`: the report after the text."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pilotlight.generate.report import GenerateReport


def render(console: Console, report: GenerateReport) -> None:
    """Print the report."""
    cost = report.cost
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    verified = ", equal to the reference loop" if report.verified else ""
    table.add_row("tokens", f"{len(report.tokens)} after a prompt of {report.prompt_tokens}: {report.end}{verified}")
    table.add_row("context", f"{report.context_used} of {report.context} tokens")
    table.add_row(
        "speed",
        f"{cost.tokens_per_second:,.1f} tokens/s by NPU cycles at {cost.npu_clock_hz / 1e6:,.0f} MHz, the clock of "
        f"Vela's configuration: {cost.npu_cycles:,.0f} cycles a token",
    )
    unit = "instructions" if report.is_emulated else "cycles"
    table.add_row("a token", f"{cost.macs:,} MACs, {cost.cpu_cycles:,.0f} CPU {unit}")
    for memory in cost.traffic:
        table.add_row(f"  {memory.memory}", f"{memory.read_bytes:,} bytes read, {memory.written_bytes:,} written")
    table.add_row("  cache", f"{cost.copied_bytes:,} bytes copied by the CPU")
    table.add_row("stack", f"{report.stack_used_bytes:,} of {report.stack_size_bytes:,} bytes used")
    console.print(table, highlight=False)
