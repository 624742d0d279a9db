# SPDX-License-Identifier: Apache-2.0
"""Draws the blame table: SQNR of each result against FP32, and its distance from PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pilotlight.errors import ConfigError
from pilotlight.export.blame.record import LARGE_LOSS_DB, Blame

FORMATS = (".png", ".svg", ".pdf")
_LABELS_AT_MOST = 60


def draw(blame: Blame, file: Path) -> None:
    """Write the picture to `file`. The suffix sets the format. Raises ConfigError if that fails."""
    try:
        figure_of(blame).savefig(file, dpi=120)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror})", hint="name another file") from error


def figure_of(blame: Blame) -> Figure:
    """Return the picture. Top: SQNR of each result. Bottom: distance from quantised PyTorch."""
    rows = blame.results
    places = np.arange(len(rows))
    figure = Figure(figsize=(max(8.0, 0.28 * len(rows)), 7.0), layout="constrained")
    loss, steps = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    first = [row.on(blame.stages[1]) for row in rows]
    ratios = [np.nan if found is None or found.sqnr_db is None else found.sqnr_db for found in first]
    loss.plot(places, ratios, "o-", color="tab:blue", markersize=4)
    large = [at for at, row in enumerate(rows) if row.loss_db > LARGE_LOSS_DB]
    falls = f"falls by more than {LARGE_LOSS_DB:g} dB"
    loss.plot(large, [ratios[at] for at in large], "o", color="tab:red", label=falls)
    if large:
        loss.legend(loc="lower left")
    loss.set_ylabel(f"SQNR in dB\n{blame.stages[1]} against {blame.stages[0]}")
    loss.set_title(f"{blame.model} for {blame.npu}")
    loss.grid(axis="y", alpha=0.3)
    furthest = [row.furthest or 0 for row in rows]
    beyond = [row.furthest is not None and row.furthest > (row.bound or 0) for row in rows]
    steps.bar(places, furthest, color=["tab:red" if bad else "tab:green" for bad in beyond])
    bounds = [np.nan if row.bound is None else row.bound for row in rows]
    steps.plot(places, bounds, "_", color="black", markersize=8, label="what the arithmetic allows")
    steps.set_ylabel("steps from\nquantised PyTorch")
    steps.legend(loc="upper left")
    steps.set_ylim(0, max(2, *furthest) + 1 if furthest else 2)
    if len(rows) <= _LABELS_AT_MOST:
        labels = [f"{row.operator} {row.module}".strip() for row in rows]
        steps.set_xticks(places, labels, rotation=90, fontsize=7)
    else:
        steps.set_xlabel("results, in the order of computation")
    return figure
