# SPDX-License-Identifier: Apache-2.0
"""The held-out data set of a model: its samples, and the label of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from pilotlight.errors import ModelError
from pilotlight.export.model.samples import NO_LABEL, Sample, Samples, Shapes, with_labels
from pilotlight.model_spec import LabelledData

_WHAT = "data set"


class HeldOut:
    """A data set that was read once, to check it and to keep its labels.

    labels: integer array [samples] for classes; a list with any other labels; None without.

    Raises ModelError if a sample does not fit the model, or if only some samples have labels.
    """

    def __init__(self, given: Any, shapes: Shapes) -> None:
        apart = isinstance(given, LabelledData)
        self._samples = Samples(_WHAT, given.inputs if apart else given, shapes)
        if apart and given.labels is not None:
            pairs = with_labels(self._samples, given.labels, _WHAT)
        else:
            pairs = self._samples.labelled()
        labels = [label for _, label in pairs]
        if not labels:
            raise ModelError("the data set has no samples", hint="leave data_set out, or give some")
        missing = [index for index, label in enumerate(labels) if label is NO_LABEL]
        if missing and len(missing) < len(labels):
            raise ModelError(f"data set, sample {missing[0]}: has no label, and others have one")
        self.labels = None if missing else _as_labels(labels)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def first(self, count: int) -> list[Sample]:
        return self._samples.first(count)

    def count(self) -> int:
        return self._samples.count()


def _as_labels(labels: list[Any]) -> Any:
    plain = [_plain(label) for label in labels]
    if all(isinstance(label, int) for label in plain):
        return np.array(plain, dtype=np.int64)
    return plain


def _plain(label: Any) -> Any:
    """Return a label without tensors: a Python number, a text, an array, or lists of these."""
    if isinstance(label, torch.Tensor):
        label = label.detach().numpy()
    if isinstance(label, np.ndarray | np.generic):
        return label.item() if label.size == 1 and label.ndim <= 1 and label.dtype.kind in "biuf" else np.asarray(label)
    if isinstance(label, Mapping):
        return {str(key): _plain(value) for key, value in label.items()}
    if isinstance(label, list | tuple):
        return [_plain(value) for value in label]
    return label
