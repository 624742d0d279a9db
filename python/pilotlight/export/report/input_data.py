# SPDX-License-Identifier: Apache-2.0
"""Compares the samples of an input with its calibration samples, one sample at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.export.report.report import InputData

Array = NDArray[Any]


class InputStatistics:
    """Gathers what `InputData` tells of one input.

    All calibration samples come before the first sample of the data set.

    >>> statistics = InputStatistics("x")
    >>> statistics.calibrate(np.array([0.0, 2.0]))
    >>> statistics.add(np.array([1.0, 4.0]))
    >>> statistics.add(np.array([0.0, np.nan]))
    >>> found = statistics.result()
    >>> found.outside, found.farthest, found.not_finite
    (1, 1.0, 1)
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # The range of a quantised tensor always includes zero.
        self._lowest = self._highest = 0.0
        self._samples = self._values = self._outside = self._not_finite = self._zero = 0
        self._farthest = 0.0

    def calibrate(self, value: Array) -> None:
        finite = value[np.isfinite(value)]
        self._lowest = min(self._lowest, float(finite.min(initial=0.0)))
        self._highest = max(self._highest, float(finite.max(initial=0.0)))

    def add(self, value: Array) -> None:
        finite = np.isfinite(value)
        self._samples += 1
        self._values += value.size
        self._not_finite += not finite.all()
        self._zero += not value.any()
        span = self._highest - self._lowest
        if np.issubdtype(value.dtype, np.floating) and span > 0:
            beyond = np.maximum(value - self._highest, self._lowest - value)[finite]
            self._outside += int((beyond > span / 510).sum())
            self._farthest = max(self._farthest, float(beyond.max(initial=0.0)) / span)

    def result(self) -> InputData:
        return InputData(
            name=self._name,
            samples=self._samples,
            values=self._values,
            lowest=self._lowest,
            highest=self._highest,
            outside=self._outside,
            farthest=self._farthest,
            not_finite=self._not_finite,
            zero=self._zero,
        )
