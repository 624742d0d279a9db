# SPDX-License-Identifier: Apache-2.0
"""The metric of segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotlight.errors import ModelError
from pilotlight.metrics.labels import first

# The usual label of a pixel that does not count.
IGNORED = 255


def mean_iou(outputs: Any, labels: Any) -> float:
    """Return the mean intersection over union of the classes that occur.

    outputs: scores [samples, classes, height, width]; with one channel, a score above 0 is class 1.
    labels: a map of class numbers for each sample, [height, width]. Pixels labelled 255 do not
        count.

    >>> scores = np.array([[[[9.0, 9.0]], [[0.0, 0.0]]]])
    >>> mean_iou(scores, [np.array([[0, 1]])])
    0.25
    """
    scores = first(outputs)
    if scores.ndim < 3:
        raise ModelError(f"it needs scores [samples, classes, height, width], and the output is {scores.shape}")
    one = scores.shape[1] == 1
    found = (scores[:, 0] > 0).astype(np.int64) if one else scores.argmax(axis=1)
    classes = max(scores.shape[1], 2)
    counts = np.zeros((classes, classes), np.int64)
    for sample, (map_, label) in enumerate(zip(found, labels, strict=True)):
        wanted = np.asarray(label)
        if wanted.size != map_.size or not np.issubdtype(wanted.dtype, np.integer):
            raise ModelError(
                f"the label of sample {sample} is {wanted.dtype} of shape {wanted.shape}, and a map of class numbers "
                f"would be {map_.shape}"
            )
        wanted = wanted.reshape(-1).astype(np.int64)
        counted = wanted != IGNORED
        if counted.any() and not 0 <= wanted[counted].min() <= wanted[counted].max() < classes:
            raise ModelError(f"the label of sample {sample} has a class that is not among the {classes} of the output")
        pairs = wanted[counted] * classes + map_.reshape(-1)[counted]
        counts += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    both = np.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1) - both
    if not either.any():
        raise ModelError("no pixel of the labels counts")
    return float(np.mean(both[either > 0] / either[either > 0]))
