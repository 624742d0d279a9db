# SPDX-License-Identifier: Apache-2.0
"""Metrics of classifiers. The first output holds the scores, labels are class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotlight.errors import ModelError
from pilotlight.metrics.labels import Array, class_numbers, first


def top_1(outputs: Any, labels: Any) -> float:
    """Return the share of samples whose largest score is the label's. Of equal scores, the first
    counts.

    >>> top_1(np.array([[0.1, 0.9], [0.6, 0.4]]), np.array([1, 1]))
    0.5
    """
    scores, right = _scores(outputs, labels)
    return float(np.mean(scores.argmax(axis=1) == right))


def top_5(outputs: Any, labels: Any) -> float:
    """Return the share of samples whose label is among the five largest scores.

    >>> [top_5(np.arange(6.0).reshape(1, 6), np.array([label])) for label in (1, 0)]
    [1.0, 0.0]
    """
    scores, right = _scores(outputs, labels)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    return float(np.mean((best == right[:, None]).any(axis=1)))


def auc(outputs: Any, labels: Any) -> float:
    """Return the area under the ROC curve, with labels 0 and 1.

    The score is the output, or the second score less the first if there are two. With more classes,
    it is the mean of one class against the others.

    >>> auc(np.array([[0.1], [0.4], [0.35], [0.8]]), np.array([0, 0, 1, 1]))
    0.75
    """
    from sklearn.metrics import roc_auc_score  # Here, because it takes a second to import.

    scores, right = _scores(outputs, labels, least=1)
    present = np.unique(right)
    if len(present) < 2:
        raise ModelError(f"it needs samples of two classes, and all are of class {present[0] if len(present) else '?'}")
    if scores.shape[1] <= 2:
        score = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
        return float(roc_auc_score(right, score))
    return float(np.mean([roc_auc_score(right == index, scores[:, index]) for index in present]))


def _scores(outputs: Any, labels: Any, least: int = 2) -> tuple[Array, Array]:
    right = class_numbers(labels)
    scores = first(outputs).reshape(len(right), -1)
    if scores.shape[1] < least:
        raise ModelError(f"it needs a score for each class, and the output has {scores.shape[1]} values")
    high = max(scores.shape[1], 2)
    if len(right) and not 0 <= right.min() <= right.max() < high:
        sample = int(np.flatnonzero((right < 0) | (right >= high))[0])
        raise ModelError(f"the label of sample {sample} is {right[sample]}, and there are {scores.shape[1]} scores")
    return scores, right
