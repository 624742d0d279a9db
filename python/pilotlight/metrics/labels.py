# SPDX-License-Identifier: Apache-2.0
"""What built-in metrics demand of labels and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import ModelError

Array = NDArray[Any]


def class_numbers(labels: Any) -> NDArray[np.int64]:
    """Return class labels as an array [samples]. Raises ModelError for other labels."""
    if not is_classes(labels):
        array = np.asarray(labels, dtype=object if isinstance(labels, list) else None)
        kind = type(array.flat[0]).__name__ if array.size else "nothing"
        raise ModelError(f"it needs a class number for each sample, and a label is {kind}")
    return np.asarray(labels, dtype=np.int64)


def is_classes(labels: Any) -> bool:
    """Whether labels are one integer for each sample."""
    if isinstance(labels, list):
        return bool(labels) and all(isinstance(label, int | np.integer) for label in labels)
    return isinstance(labels, np.ndarray) and labels.ndim == 1 and bool(np.issubdtype(labels.dtype, np.integer))


def first(outputs: Any) -> Array:
    """Return the model's first output."""
    return np.asarray(outputs[0] if isinstance(outputs, tuple) else outputs)


def like_output(labels: Sequence[Any], output: Array) -> Array:
    """Return numeric labels in the shape of an output. Raises ModelError if they do not fit."""
    rows = []
    for sample, (label, value) in enumerate(zip(labels, output, strict=True)):
        try:
            row = np.asarray(label, dtype=np.float64)
        except (TypeError, ValueError):
            raise ModelError(f"it needs numbers, and the label of sample {sample} is {label!r:.40}") from None
        if row.size != value.size:
            raise ModelError(f"the label of sample {sample} has {row.size} values, and the output {value.size}")
        rows.append(row.reshape(value.shape))
    return np.stack(rows)
