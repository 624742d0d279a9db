# SPDX-License-Identifier: Apache-2.0
"""Stores the labels of a data set in a bundle: as an array, or as JSON.

Integers, and numeric arrays of one shape, go to golden.npz as `labels`. Texts, lists of boxes and
all else go to labels.json, in which arrays are nested lists.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE_NAME = "labels.json"


def save_labels(folder: Path, labels: Any) -> dict[str, NDArray[Any]]:
    """Write labels.json, or return the array for golden.npz.

    Raises ModelError for a label that is neither number, text, array nor a list of these.
    """
    import numpy as np

    if isinstance(labels, np.ndarray):
        return {"labels": labels}
    if all(isinstance(label, np.ndarray) for label in labels):
        if len({(label.shape, label.dtype) for label in labels}) == 1 and labels[0].dtype.kind in "biuf":
            return {"labels": np.stack(labels)}
    elif all(isinstance(label, float) for label in labels):
        return {"labels": np.array(labels)}
    try:
        text = json.dumps(labels, default=lambda value: value.tolist())
    except (TypeError, AttributeError) as error:
        raise ModelError(
            f"data set: a label cannot be stored: {error}", hint="numbers, texts, arrays, or lists and dicts of these"
        ) from error
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
    return {}


def load_labels(folder: Path, array: NDArray[Any] | None) -> Any:
    """Return the labels as a metric takes them; None without labels.

    array: `labels` of golden.npz, None without.

    Raises ConfigError if labels.json is damaged.
    """
    path = folder / FILE_NAME
    if array is not None:
        return array if array.ndim == 1 and array.dtype.kind in "iu" else list(array)
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: damaged ({error})", hint="build again, from nothing: west build -p always"
        ) from error
    if not isinstance(labels, list):
        raise ConfigError(f"{path}: holds no list", hint="build again, from nothing: west build -p always")
    return labels
