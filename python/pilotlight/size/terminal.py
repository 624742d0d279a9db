# SPDX-License-Identifier: Apache-2.0
"""Prints sizes as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pilotlight.size.difference import Difference
from pilotlight.size.record import FLASH, RAM, Model, RegionUse, Sizes, by_component

_BAR = 20
# The table has only the largest layers; --json and --html have all.
_LAYERS_SHOWN = 20
_CHANGES_SHOWN = 20


def render(console: Console, sizes: Sizes) -> None:
    """Print regions, components, models and layers."""
    console.print(f"[bold]{escape(sizes.title)}[/bold]", highlight=False)
    console.print()
    render_regions(console, sizes.regions)
    console.print()
    table = _table("component", "flash", "RAM", "share")
    flash, ram = sizes.total(FLASH), sizes.total(RAM)
    for name, (in_flash, in_ram) in by_component(sizes).items():
        table.add_row(name, _bytes(in_flash), _bytes(in_ram), _bar((in_flash + in_ram) / max(1, flash + ram)))
    table.add_section()
    table.add_row("[bold]all[/bold]", f"{flash:,}", f"{ram:,}", "")
    console.print(table, highlight=False)
    for model in sizes.models:
        console.print()
        _render_model(console, model)


def render_difference(console: Console, difference: Difference) -> None:
    """Print the changes, the total first."""
    console.print(f"[bold]{escape(difference.after)}[/bold], against {escape(difference.before)}", highlight=False)
    console.print()
    table = _table("", "before", "after", "change")
    for memory, before, after, delta in zip(
        (FLASH, RAM), difference.total.before, difference.total.after, difference.total.delta, strict=True
    ):
        table.add_row(f"[bold]{memory}[/bold]", f"{before:,}", f"{after:,}", _signed(delta))
    console.print(table, highlight=False)
    if not difference.tables:
        console.print("nothing changed its size")
    for kind in difference.tables:
        console.print()
        table = _table(kind.title, *(kind.columns if len(kind.columns) > 1 else ("change", "now")))
        for change in kind.changes[:_CHANGES_SHOWN]:
            now = [f"{change.after[0]:,}"] if len(kind.columns) == 1 else []
            table.add_row(escape(change.name), *map(_signed, change.delta), *now)
        console.print(table, highlight=False)
        if len(kind.changes) > _CHANGES_SHOWN:
            console.print(f"[dim]and {len(kind.changes) - _CHANGES_SHOWN} smaller changes: see --json[/dim]")


def _signed(size: int) -> str:
    colour = "red" if size > 0 else "green"
    return f"[{colour}]{size:+,}[/{colour}]" if size else ""


def render_regions(console: Console, regions: Sequence[RegionUse]) -> None:
    """Print the use of each memory region. `west build` prints this last."""
    table = _table("memory region", "used", "of bytes", "share")
    for region in regions:
        share = region.used_bytes / region.size_bytes if region.size_bytes else 0.0
        size = f"{region.size_bytes:,}" if region.size_bytes else ""
        table.add_row(region.name, f"{region.used_bytes:,}", size, f"{share:6.1%} {_bar(share)}" if size else "")
    console.print(table, highlight=False)


def _render_model(console: Console, model: Model) -> None:
    table = _table(f"model {model.name}", "flash", "RAM")
    for name, size in model.flash.items():
        table.add_row(name, f"{size:,}", "")
    for name, size in model.ram.items():
        table.add_row(name, "", f"{size:,}")
    table.add_section()
    table.add_row("[bold]all[/bold]", f"{sum(model.flash.values()):,}", f"{sum(model.ram.values()):,}")
    console.print(table, highlight=False)

    if not model.layers:
        return
    console.print()
    cost = {layer.name: layer.weights_bytes + layer.commands_bytes + layer.output_bytes for layer in model.layers}
    largest = set(sorted(cost, key=lambda name: -cost[name])[:_LAYERS_SHOWN])
    table = _table(f"layer of {model.name}", "weights", "commands", "output", "source")
    table.columns[4].justify = "left"
    for layer in model.layers:
        if layer.name in largest:
            sizes = (layer.weights_bytes, layer.commands_bytes, layer.output_bytes)
            table.add_row(escape(layer.name), *map(_bytes, sizes), escape(layer.where))
    console.print(table, highlight=False)
    if len(model.layers) > len(largest):
        console.print(f"[dim]and {len(model.layers) - len(largest)} smaller layers: see --json or --html[/dim]")


def _table(name: str, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    table.add_column(name, no_wrap=True)
    for column in columns:
        share = column == "share"
        # In a narrow terminal, names are cut and numbers are not.
        width = None if share else max(7, len(column))
        table.add_column("" if share else column, justify="left" if share else "right", no_wrap=True, min_width=width)
    return table


def _bytes(size: int) -> str:
    return f"{size:,}" if size else ""


def _bar(share: float) -> str:
    """Draw a bar for a share. A share above 0 shows at least an eighth of a character."""
    eighths = max(round(share * _BAR * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
