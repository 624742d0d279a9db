# SPDX-License-Identifier: Apache-2.0
"""Convolution and depthwise convolution with exact integer sums, in floating point.

A float32 holds every integer up to 2**24 exactly, a float64 up to 2**53. As long as the sum of absolute products
stays below that, every partial sum is exact in whatever order BLAS adds them up. Weights give the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.kernel import Kernel
from pilotlight.npu.scratch import Scratch
from pilotlight.npu.weights import Weights

_FLOAT32_EXACT = 1 << 24

# The windows of a convolution are copied out for this many elements at a time, to stay in the cache, but for no fewer
# than this many positions: each product reads all weights.
_WINDOW_ELEMENTS = 1 << 18
_WINDOW_POSITIONS = 256
_DEPTHWISE_ELEMENTS = 1 << 15


def accumulator_dtype(weights: Weights, largest_input: int) -> type[np.float32] | type[np.float64]:
    return np.float32 if weights.largest_sum * largest_input < _FLOAT32_EXACT else np.float64


def convolve(
    values: NDArray[Any], weights: Weights, kernel: Kernel, out_height: int, out_width: int, scratch: Scratch
) -> NDArray[Any]:
    """Convolve padded values, in an accumulator dtype, to [out_height, out_width, channels] in scratch memory."""
    matrix = weights.matrix.astype(values.dtype, copy=False)
    depth, channels = matrix.shape
    result = scratch.array("sums", (out_height, out_width, channels), values.dtype)
    if kernel.pointwise:
        np.matmul(values.reshape(-1, depth), matrix, out=result.reshape(-1, channels))
        return result
    windows = kernel.windows(values, out_height, out_width)
    rows = max(1, max(_WINDOW_POSITIONS, _WINDOW_ELEMENTS // depth) // out_width)
    for top in range(0, out_height, rows):
        part = windows[top : top + rows]
        columns = scratch.array("columns", part.shape, values.dtype)
        np.copyto(columns, part)
        np.matmul(columns.reshape(-1, depth), matrix, out=result[top : top + rows].reshape(-1, channels))
    return result


def convolve_depthwise(
    values: NDArray[Any], weights: Weights, kernel: Kernel, out_height: int, out_width: int, scratch: Scratch
) -> NDArray[Any]:
    """As `convolve`, with one kernel per channel: one multiplication of whole maps per tap."""
    matrix = weights.matrix.astype(values.dtype, copy=False)
    windows = kernel.windows(values, out_height, out_width)
    result = scratch.array("sums", (out_height, out_width, values.shape[2]), values.dtype)
    rows = max(1, _DEPTHWISE_ELEMENTS // (out_width * values.shape[2]))
    product = np.empty((min(rows, out_height), *result.shape[1:]), values.dtype)
    for top in range(0, out_height, rows):
        part = windows[top : top + rows]
        sums = result[top : top + rows]
        np.multiply(part[:, :, 0, 0], matrix[0], out=sums)
        for tap in range(1, kernel.height * kernel.width):
            tap_values = part[:, :, tap // kernel.width, tap % kernel.width]
            sums += np.multiply(tap_values, matrix[tap], out=product[: len(part)])
    return result
