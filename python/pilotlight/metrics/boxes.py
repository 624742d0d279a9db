# SPDX-License-Identifier: Apache-2.0
"""The metric of object detection."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotlight.errors import ModelError
from pilotlight.metrics.labels import Array, first

_OVERLAP = 0.5


def map_50(outputs: Any, labels: Any) -> float:
    """Return the mean average precision at an intersection over union of 0.5.

    outputs: [samples, boxes, 6]: left, top, right, bottom, score, class number. Boxes with a score
        of 0 or less do not count. There is no suppression of overlapping boxes here.
    labels: for each sample the true boxes [boxes, 5]: left, top, right, bottom, class number.

    The average precision of a class is the area under its precision-recall curve, where precision
    is made to fall with recall. Of several found boxes for one true box, the one with the highest
    score counts, and the others are wrong. (PASCAL VOC's rules since 2010.)
    """
    found = first(outputs)
    if found.ndim != 3 or found.shape[2] != 6:
        raise ModelError(
            f"it needs boxes [samples, boxes, 6] (left, top, right, bottom, score, class), and the output is "
            f"{found.shape}",
        )
    wanted = [_true_boxes(sample, label) for sample, label in enumerate(labels)]
    classes = sorted({int(row[4]) for rows in wanted for row in rows})
    if not classes:
        raise ModelError("no label holds a box")
    return float(np.mean([_average_precision(found, wanted, number) for number in classes]))


def _true_boxes(sample: int, label: Any) -> Array:
    try:
        rows = np.asarray(label, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.zeros((1, 0))
    if not rows.size:
        rows = rows.reshape(0, 5) if rows.shape[:1] == (0,) else rows
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise ModelError(f"the label of sample {sample} is not a list of boxes (left, top, right, bottom, class)")
    return rows


def _average_precision(found: Array, wanted: list[Array], number: int) -> float:
    true = [rows[rows[:, 4] == number, :4] for rows in wanted]
    boxes = [
        (float(box[4]), sample, box[:4])
        for sample, rows in enumerate(found)
        for box in rows
        if box[4] > 0 and round(float(box[5])) == number
    ]
    boxes.sort(key=lambda box: -box[0])
    taken = [np.zeros(len(rows), bool) for rows in true]
    right = np.zeros(len(boxes))
    for index, (_, sample, box) in enumerate(boxes):
        overlaps = _overlaps(box, true[sample])
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best >= 0 and overlaps[best] >= _OVERLAP and not taken[sample][best]:
            taken[sample][best] = True
            right[index] = 1
    hits = np.cumsum(right)
    recall = np.concatenate(([0.0], hits / sum(map(len, true))))
    precision = hits / np.arange(1, len(boxes) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * falling))


def _overlaps(box: Array, others: Array) -> Array:
    """Return the intersection over union of a box with each of others [boxes, 4]."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(np.clip(others[:, 2:] - others[:, :2], 0, None), axis=1)
    own = np.prod(np.clip(box[2:] - box[:2], 0, None))
    return np.asarray(both / np.maximum(own + areas - both, 1e-12))
