# SPDX-License-Identifier: Apache-2.0
"""Finds the samples whose answer changed between two sets of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import ModelError
from pilotlight.metrics.labels import is_classes
from pilotlight.metrics.metric import Metric

Outputs = tuple[NDArray[Any], ...]
KEPT = 20


@dataclass(frozen=True)
class ChangedSample:
    """before, after, label: texts for a reader, such as class names; label is "" if it is not
    short."""

    sample: int
    before: str
    after: str
    label: str = ""

    def __str__(self) -> str:
        label = f" (label {self.label})" if self.label else ""
        return f"sample {self.sample}: {self.before} -> {self.after}{label}"


@dataclass(frozen=True)
class Changes:
    """count: how many of `samples` changed. what: what was compared. worst: the first or largest
    changes, at most `KEPT`."""

    what: str
    samples: int
    count: int
    worst: tuple[ChangedSample, ...]


def changes(metric: Metric, before: Outputs, after: Outputs, labels: Any, class_labels: Sequence[str] = ()) -> Changes:
    """Compare two sets of real-valued outputs, [samples, ...] each."""
    count = len(before[0])
    if is_classes(labels) and before[0].size // max(1, count) > 1:
        return _classes(before[0], after[0], labels, class_labels)
    values = _by_sample(metric, before, after, labels)
    what = metric.title
    if values is None:
        values, what = _errors(before, after), "largest difference of an output"
    first, second = values
    order = np.argsort(-np.abs(second - first), kind="stable")
    changed = [int(sample) for sample in order if first[sample] != second[sample]]
    worst = tuple(
        ChangedSample(sample, f"{first[sample]:.4g}", f"{second[sample]:.4g}", _short(labels, sample))
        for sample in changed[:KEPT]
    )
    return Changes(what, count, len(changed), worst)


def _classes(before: NDArray[Any], after: NDArray[Any], labels: Any, names: Sequence[str]) -> Changes:
    def name(number: int) -> str:
        return names[number] if 0 <= number < len(names) else str(number)

    first, second = (scores.reshape(len(scores), -1).argmax(axis=1) for scores in (before, after))
    changed = np.flatnonzero(first != second)
    worst = tuple(
        ChangedSample(int(sample), name(int(first[sample])), name(int(second[sample])), name(int(labels[sample])))
        for sample in changed[:KEPT]
    )
    return Changes("class", len(first), len(changed), worst)


def _by_sample(
    metric: Metric, before: Outputs, after: Outputs, labels: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the metric of each sample alone; None if it does not exist for one sample."""
    columns = []
    for outputs in (before, after):
        values = []
        for sample in range(len(outputs[0])):
            one = tuple(output[sample : sample + 1] for output in outputs)
            try:
                values.append(metric.of(one, labels[sample : sample + 1], "one sample's"))
            except ModelError:
                return None
        columns.append(np.array(values))
    return columns[0], columns[1]


def _errors(before: Outputs, after: Outputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count = len(before[0])
    pairs = zip(before, after, strict=True)
    largest = [np.abs(b.astype(np.float64) - a).reshape(count, -1).max(axis=1, initial=0.0) for b, a in pairs]
    return np.zeros(count), np.max(largest, axis=0)


def _short(labels: Any, sample: int) -> str:
    label = labels[sample]
    return str(label) if isinstance(label, str | int | float | np.integer | np.floating) else ""
