# SPDX-License-Identifier: Apache-2.0
"""Writes the report of a search: tune.json, and tune.html as one file that needs no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from pilotlight.errors import ConfigError
from pilotlight.files import write_atomically
from pilotlight.tune import explain
from pilotlight.tune.record import TuneReport, paste
from pilotlight.tune.wording import quality_text

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 760, 340, 60, 46, 16, 16
_TICKS = 5
# A recipe without any error has no SQNR in decibels; the plot shows it here at least.
_NO_ERROR_DB = 100.0


def write(report: TuneReport, folder: Path) -> None:
    """Write both files. Raises ConfigError if the folder cannot be written."""
    try:
        write_atomically(folder / "tune.json", report.to_json())
        write_atomically(folder / "tune.html", html(report))
    except (NotADirectoryError, FileExistsError, PermissionError) as error:
        raise ConfigError(
            f"{folder}: cannot be written ({error.strerror})", hint="--out with another folder"
        ) from error


def html(report: TuneReport) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    answer = report.answer
    losses = [
        (
            label,
            recipe,
            [
                (explain.place(row), row.source, explain.sqnr_of(row), row.loss_db)
                for row in explain.worst_losses(blame, 8)
            ],
        )
        for label, recipe, blame in report.blamed
    ]
    return environment.get_template("tune.html.j2").render(
        report=report,
        answer=answer,
        paste={} if answer is None else paste(answer.trial.recipe),
        plot=Plot.of(report),
        losses=losses,
        quality_text=quality_text,
    )


@dataclass(frozen=True)
class Dot:
    """A recipe in the plot. x, y: pixels. kind: "chosen", "front", "fits" or "other"."""

    x: float
    y: float
    kind: str
    title: str
    label: str


@dataclass(frozen=True)
class Plot:
    """SQNR over cycles of the exported recipes. limit: height of the tolerance, None if it is no
    SQNR. line: the front, as points of a polyline."""

    width: int
    height: int
    left: int
    bottom: float
    dots: tuple[Dot, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    limit: float | None
    line: str

    @classmethod
    def of(cls, report: TuneReport) -> Plot | None:
        """Return the plot, None if nothing was exported."""
        shown = [(one, index) for index, one in enumerate(report.trials) if one.trial.costs and one.trial.quality]
        if not shown:
            return None
        cycles = [one.trial.costs.cycles for one, _ in shown if one.trial.costs]
        decibels = [_decibels(one.trial.quality.sqnr_db) for one, _ in shown if one.trial.quality]
        limit = float(report.tolerance.removesuffix("dB")) if report.tolerance.endswith("dB") else None
        across = _Axis.over(cycles, _LEFT, _WIDTH - _RIGHT)
        up = _Axis.over([*decibels, *([] if limit is None else [limit])], _HEIGHT - _BOTTOM, _TOP)
        dots, front = [], []
        for (one, index), x, y in zip(shown, cycles, decibels, strict=True):
            trial = one.trial
            assert trial.quality is not None
            kind = "chosen" if index == report.chosen else "front" if one.on_front else "fits" if one.fits else "other"
            title = f"{trial.recipe}: {quality_text(trial.quality)}, {x:,} cycles, {one.verdict}"
            label = trial.recipe if index == report.chosen else ""
            dots.append(Dot(across.at(x), up.at(y), kind, title, label))
        # The front has more dimensions than the plot: the line joins the leaders in these two.
        best = -math.inf
        for x, y in sorted(zip(cycles, decibels, strict=True), key=lambda point: (point[0], -point[1])):
            if y > best:
                best = y
                front.append(f"{across.at(x):.1f},{up.at(y):.1f}")
        return cls(
            _WIDTH,
            _HEIGHT,
            _LEFT,
            _HEIGHT - _BOTTOM,
            tuple(sorted(dots, key=lambda dot: dot.kind == "chosen")),
            tuple((across.at(tick), f"{tick:,.0f}") for tick in across.ticks()),
            tuple((up.at(tick), f"{tick:g}") for tick in up.ticks()),
            None if limit is None else up.at(limit),
            " ".join(front),
        )


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        low, high = min(values), max(values)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - margin, high + margin, start, end)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round numbers inside the axis.

        >>> _Axis(3.0, 42.0, 0, 1).ticks()
        [10.0, 20.0, 30.0, 40.0]
        """
        rough = (self.high - self.low) / _TICKS
        power = 10 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = math.ceil(self.low / step)
        return [float(step * count) for count in range(first, math.floor(self.high / step) + 1)]


def _decibels(sqnr_db: float | None) -> float:
    return _NO_ERROR_DB if sqnr_db is None else sqnr_db
