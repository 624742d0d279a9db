# SPDX-License-Identifier: Apache-2.0
"""Draws a check's pictures as PNG: confusion matrix, latencies, inputs with answers."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotlight.check.compare import classes, differing
from pilotlight.check.record import Observations

GALLERY_COLUMNS = 8
GALLERY_SAMPLES = 24
# With more classes, the cells are too small for numbers.
MAX_NUMBERED_CLASSES = 20
# With more classes, the matrix is unreadable.
MAX_CLASSES = 100

_RIGHT, _WRONG, _DIFFERS = "#1a7f37", "#b35900", "#cf222e"
_STYLE = {"font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def confusion(seen: Observations) -> bytes | None:
    """Draw label against answer. Returns None without labels, with one class or with too many
    classes."""
    if seen.data.labels is None:
        return None
    answers = classes(seen.outputs[0])
    labels = np.asarray(seen.data.labels[: len(answers)])
    count = seen.outputs[0][0].size
    if count > MAX_CLASSES or count < 2:
        return None
    matrix = np.zeros((count, count), dtype=int)
    np.add.at(matrix, (labels, answers), 1)
    names = seen.info.labels or tuple(map(str, range(count)))

    with matplotlib.rc_context(_STYLE):
        side = min(9.0, 2.2 + 0.36 * count)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.add_subplot()
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.spines[:].set_visible(False)
        if count <= MAX_NUMBERED_CLASSES:
            for (row, column), number in np.ndenumerate(matrix):
                if number:
                    colour = "white" if share[row, column] > 0.5 else (_WRONG if row != column else "black")
                    axes.text(column, row, str(number), ha="center", va="center", color=colour, fontsize=8)
        rotation = 90 if max(map(len, names)) > 2 else 0
        axes.set_xticks(range(count), names, rotation=rotation)
        axes.set_yticks(range(count), names)
        axes.tick_params(length=0)
        axes.set_xlabel("device's answer")
        axes.set_ylabel("label")
        return _png(figure)


def latency(seen: Observations, clock: str) -> bytes:
    """Draw a histogram of the inference times. clock: the clock's name for the axis."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 2.6), layout="constrained")
        axes = figure.add_subplot()
        values = np.asarray(seen.device_us) / 1e3
        # One slow inference, usually the first, must not squeeze all others into a single bar.
        shown = values[values <= 1.5 * np.percentile(values, 95)]
        axes.hist(shown, bins=min(40, max(5, len(shown) // 5)), color="#0969da")
        median = float(np.median(values))
        axes.axvline(median, color="black", linewidth=1)
        beyond = len(values) - len(shown)
        rest = f"; {beyond} beyond the axis, up to {values.max():,.3g} ms" if beyond else ""
        axes.set_title(f"median {median:,.3g} ms{rest}", fontsize=9, loc="right")
        axes.set_xlabel(f"inference in ms, {clock}")
        axes.set_ylabel("samples")
        return _png(figure)


def gallery(seen: Observations) -> bytes | None:
    """Draw inputs as images with the device's answers. Returns None if the first input is not an
    image.

    Samples that differ from the golden output come first, then wrong answers, then the rest in
    order.
    """
    images = as_images(seen.data.inputs[0])
    if images is None:
        return None
    answers = classes(seen.outputs[0])
    labels = None if seen.data.labels is None else np.asarray(seen.data.labels[: len(answers)])
    differs = np.zeros(len(answers), dtype=bool)
    for golden, got in zip(seen.data.golden, seen.outputs, strict=True):
        differs |= differing(golden[: len(got)], got).reshape(len(got), -1).any(axis=1)
    wrong = np.zeros(len(answers), dtype=bool) if labels is None else labels != answers
    order = np.lexsort((np.arange(len(answers)), ~wrong, ~differs))[:GALLERY_SAMPLES]
    names = seen.info.labels

    with matplotlib.rc_context(_STYLE):
        rows = -(-len(order) // GALLERY_COLUMNS)
        figure = Figure(figsize=(GALLERY_COLUMNS * 1.15, rows * 1.5), layout="constrained")
        grid = figure.subplots(rows, GALLERY_COLUMNS, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for axes, sample in zip(grid.flat, order, strict=False):
            image = images[sample]
            axes.imshow(image, cmap="gray_r" if image.ndim == 2 else None, aspect=_aspect(image))
            answer = int(answers[sample])
            text = names[answer] if answer < len(names) else str(answer)
            if wrong[sample] and labels is not None:
                label = int(labels[sample])
                text += f"\nnot {names[label] if label < len(names) else label}"
            colour = _DIFFERS if differs[sample] else _WRONG if wrong[sample] else _RIGHT
            axes.set_title(text, color=colour, fontsize=8, pad=2)
        return _png(figure)


def as_images(inputs: NDArray[Any]) -> NDArray[Any] | None:
    """Return the inputs as images, float32 from 0 to 1, or None if they are not images.

    Shape: [samples, height, width] or [samples, height, width, 3].
    """
    sides = [side for side in inputs.shape[1:] if side != 1]
    flat = inputs.reshape(len(inputs), *sides).astype(np.float32)
    if len(sides) == 3 and sides[0] == 3:
        flat = np.moveaxis(flat, 1, -1)
    elif len(sides) != 2 and not (len(sides) == 3 and sides[2] == 3):
        return None
    low, high = float(flat.min()), float(flat.max())
    return (flat - low) / max(high - low, 1e-9)


def _aspect(image: NDArray[Any]) -> str:
    height, width = image.shape[:2]
    return "equal" if 0.5 <= height / width <= 2 else "auto"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    return buffer.getvalue()
