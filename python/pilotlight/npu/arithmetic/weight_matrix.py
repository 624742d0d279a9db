# SPDX-License-Identifier: Apache-2.0
"""The weights of an operation as a matrix, and their sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Below this magnitude, float32 holds every integer.
FLOAT32_EXACT = 1 << 24


@dataclass(frozen=True)
class Weights:
    """Decoded weights.

    matrix: [height * width * in_channels, out_channels], or [height * width, channels] if
        depthwise.
    sums: the sum of the weights of each output channel.
    largest_sum: the largest sum of absolute weights of an output channel, for a bound of the
        accumulator.
    """

    matrix: NDArray[np.float32]
    sums: NDArray[np.float64]
    largest_sum: int
    _repeated: dict[Any, NDArray[Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, matrix: NDArray[np.float32]) -> Weights:
        absolute = np.abs(matrix)
        # Sums of numbers that are not negative only grow. So a sum below the limit was never above.
        totals = _column_sums(absolute, exact=True)
        if totals.max() >= FLOAT32_EXACT:
            totals = _column_sums(absolute, exact=False)
        largest = int(totals.max())
        return cls(matrix, _column_sums(matrix, exact=largest < FLOAT32_EXACT), largest)

    def repeated(self, times: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the matrix in `dtype`, with each row repeated `times` times side by side."""
        found = self._repeated.get((times, dtype))
        if found is None:
            found = self._repeated[times, dtype] = np.tile(self.matrix.astype(dtype), (1, times))
        return found


def _column_sums(matrix: NDArray[np.float32], *, exact: bool) -> NDArray[np.float64]:
    """Return the sum of each column of integers.

    exact: whether float32 holds every partial sum. A matrix product then takes a sixth of the time.
    """
    if not exact:
        summed: NDArray[np.float64] = matrix.sum(axis=0, dtype=np.float64)
        return summed
    return (np.ones(len(matrix), np.float32) @ matrix).astype(np.float64)
