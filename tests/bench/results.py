# SPDX-License-Identifier: Apache-2.0
"""A measurement, as the table and the JSON show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    at_most, at_least: the goal, if there is one. A missed goal is shown and does not fail the run.
    orientation: true for seconds, which depend on this machine at this moment.
    """

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    orientation: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return self.value >= self.at_least
        return None

    def as_json(self) -> dict[str, Any]:
        record: dict[str, Any] = {"name": self.name, "value": self.value, "unit": self.unit}
        if self.met is not None:
            goal = {"at_most": self.at_most} if self.at_most is not None else {"at_least": self.at_least}
            record |= {"goal": goal, "met": self.met}
        if self.orientation:
            record["orientation"] = True
        return record | ({"note": self.note} if self.note else {})


@dataclass(frozen=True)
class Part:
    """The figures of one part of the bench. If there are no figures, `failed` says why."""

    name: str
    figures: tuple[Figure, ...] = ()
    failed: str = ""

    def as_json(self) -> dict[str, Any]:
        if self.failed:
            return {"failed": self.failed}
        return {"figures": [figure.as_json() for figure in self.figures]}


# A change within this share is noise. Bytes, instructions and steps are the same in every run.
_NOISE_OF_RATIOS, _NOISE_OF_TIMES = 0.1, 0.3
_TIMES = ("s", "us", "ms")


def change(figure: Figure, before: float) -> str:
    """Return the change since an earlier run, "" if it is within the noise."""
    noise = _NOISE_OF_TIMES if figure.orientation or figure.unit in _TIMES else 0.0
    noise = _NOISE_OF_RATIOS if figure.unit == "x" else noise
    if not before:
        return "" if figure.value == before else "was 0"
    share = figure.value / before - 1
    return f"{share:+.1%}".replace("%", " %") if abs(share) > noise else ""


def earlier_figures(record: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return (part, name) -> value from the JSON of an earlier run.

    Raises KeyError or TypeError if it is no such JSON.
    """
    return {
        (part, figure["name"]): float(figure["value"])
        for part, figures in record["parts"].items()
        for figure in figures.get("figures", ())
    }


def print_table(
    console: Console,
    parts: list[Part],
    machine: dict[str, Any],
    earlier: Mapping[tuple[str, str], float] | None = None,
) -> None:
    """Print all figures. earlier: those of another run, in a column that shows what changed."""
    table = Table(title="Pilotlight bench", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right", no_wrap=True)
    if earlier is not None:
        table.add_column("change", justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("goal", no_wrap=True)
    table.add_column("note")
    for part in parts:
        table.add_section()
        table.add_row(Text(part.name, style="bold"), *[""] * (len(table.columns) - 2), Text(part.failed, style="red"))
        for figure in part.figures:
            style = "dim" if figure.orientation else ""
            value = _number(figure.value, figure.unit)
            changed = [] if earlier is None else [_changed(figure, earlier.get((part.name, figure.name)))]
            table.add_row("  " + figure.name, value, *changed, figure.unit, _goal(figure), figure.note, style=style)
    console.print(table)
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_average']}; {machine['date']}, "
        f"commit {machine['commit']}. Lines in seconds are for orientation.",
        style="dim",
        highlight=False,
    )


def _changed(figure: Figure, before: float | None) -> Text:
    """Return the change; bold, because it is more than noise."""
    return Text("new", style="dim") if before is None else Text(change(figure, before), style="bold")


def _goal(figure: Figure) -> Text:
    if figure.met is None:
        return Text()
    limit = figure.at_most if figure.at_most is not None else figure.at_least
    assert limit is not None
    number = f"{limit:,.0f}" if limit >= 100 else f"{limit:g}"
    goal = f"{'<=' if figure.at_most is not None else '>='} {number}"
    return Text(f"{goal} met" if figure.met else f"{goal} MISSED", style="green" if figure.met else "red")


def _number(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:,.1f}" if value >= 1 else f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"
    if unit == "ticks":
        return f"{value:.3f}"
    if unit == "x":
        return f"{value:.2f}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
