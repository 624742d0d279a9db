# SPDX-License-Identifier: Apache-2.0
"""Pools. Each axis is reduced by itself. So a kernel of h x w needs h + w operations on the map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.scaling import Scaling
from pilotlight.npu.stream.isa import RoundMode
from pilotlight.npu.stream.kernel import Kernel


def _reduce(values: NDArray[Any], kernel: Kernel, out_height: int, out_width: int, operator: np.ufunc) -> NDArray[Any]:
    for axis, size, count, stride, dilation in (
        (0, out_height, kernel.height, kernel.stride_y, kernel.dilation_y),
        (1, out_width, kernel.width, kernel.stride_x, kernel.dilation_x),
    ):
        span = (size - 1) * stride + 1
        taps = [
            values[tap * dilation : tap * dilation + span : stride]
            if axis == 0
            else values[:, tap * dilation : tap * dilation + span : stride]
            for tap in range(count)
        ]
        values = taps[0]
        for tap_index, tap_values in enumerate(taps[1:]):
            # The first result is new memory. The others overwrite it.
            values = operator(values, tap_values, out=None if tap_index == 0 else values)
    return values


def maximum(values: NDArray[Any], kernel: Kernel, out_height: int, out_width: int) -> NDArray[Any]:
    """Return the maximum of stored integers over the valid positions. Padding does not count."""
    if kernel.padded:
        values = kernel.pad(values, int(np.iinfo(values.dtype).min))
    return _reduce(values, kernel, out_height, out_width, np.maximum)


def minimum(values: NDArray[Any], kernel: Kernel, out_height: int, out_width: int) -> NDArray[Any]:
    """Return the minimum of stored integers over the valid positions. Padding does not count."""
    if kernel.padded:
        values = kernel.pad(values, int(np.iinfo(values.dtype).max))
    return _reduce(values, kernel, out_height, out_width, np.minimum)


def first_maximum(
    values: NDArray[Any], kernel: Kernel, out_height: int, out_width: int, *, along_rows: bool
) -> NDArray[np.int64]:
    """Return the index of the first maximum of each window, along X or (along_rows) along Y.

    The window has one element on the other axis.
    """
    padded = kernel.pad(values, int(np.iinfo(values.dtype).min)) if kernel.padded else values
    windows = kernel.windows(np.ascontiguousarray(padded), out_height, out_width)
    found: NDArray[np.int64] = (
        windows[:, :, :, 0].argmax(axis=2) if along_rows else windows[:, :, 0].argmax(axis=2)
    ).astype(np.int64)
    return found


def window_sums(values: NDArray[Any], kernel: Kernel, out_height: int, out_width: int) -> NDArray[Any]:
    """Return the sums over windows of values without zero point. Padding counts as 0."""
    return _reduce(kernel.pad(values, 0), kernel, out_height, out_width, np.add)


def mean_scaling(
    kernel: Kernel, out_height: int, out_width: int, in_height: int, in_width: int, reciprocal_bits: int
) -> Scaling:
    """Return the scaling that divides each window's sum by its number of valid positions.

    It has the hardware's rounded reciprocals, which have `reciprocal_bits` fraction bits.
    """
    rows = _valid(out_height, kernel.stride_y, kernel.pad_top, kernel.height, kernel.dilation_y, in_height)
    columns = _valid(out_width, kernel.stride_x, kernel.pad_left, kernel.width, kernel.dilation_x, in_width)
    counts = np.maximum(rows[:, None] * columns, 1)
    extra = np.array([(int(count) - 1).bit_length() for count in counts.flat], np.int64).reshape(counts.shape)
    shifts = reciprocal_bits + extra
    multipliers = ((1 << shifts) + (1 << extra)) // counts
    return Scaling(multipliers[:, :, None], shifts[:, :, None], RoundMode.NATURAL)


def _valid(out_size: int, stride: int, pad: int, count: int, dilation: int, in_size: int) -> NDArray[np.int64]:
    positions = np.arange(out_size)[:, None] * stride - pad + np.arange(count) * dilation
    valid: NDArray[np.int64] = ((positions >= 0) & (positions < in_size)).sum(axis=1)
    return valid
