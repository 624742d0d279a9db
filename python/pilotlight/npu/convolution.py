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
from pilotlight.npu.weights import Weights

_FLOAT32_EXACT = 1 << 24

# The windows of a convolution are copied out for this many elements at a time.
_WINDOW_ELEMENTS = 1 << 22
_DEPTHWISE_ELEMENTS = 1 << 17


def accumulator_dtype(weights: Weights, largest_input: int) -> type[np.float32] | type[np.float64]:
    return np.float32 if weights.largest_sum * largest_input < _FLOAT32_EXACT else np.float64


def convolve(values: NDArray[Any], weights: Weights, kernel: Kernel, out_height: int, out_width: int) -> NDArray[Any]:
    """Convolve padded values (zero point removed, in an accumulator dtype) to [out_height, out_width, channels]."""
    matrix = weights.matrix.astype(values.dtype, copy=False)
    if kernel.pointwise:
        product: NDArray[Any] = values.reshape(-1, values.shape[2]) @ matrix
        return product.reshape(out_height, out_width, -1)
    result = np.empty((out_height, out_width, matrix.shape[1]), values.dtype)
    windows = kernel.windows(values, out_height, out_width)
    rows = max(1, _WINDOW_ELEMENTS // (out_width * matrix.shape[0]))
    for top in range(0, out_height, rows):
        columns = windows[top : top + rows].reshape(-1, matrix.shape[0])
        np.matmul(columns, matrix, out=result[top : top + rows].reshape(-1, matrix.shape[1]))
    return result


def convolve_depthwise(
    values: NDArray[Any], weights: Weights, kernel: Kernel, out_height: int, out_width: int
) -> NDArray[Any]:
    """As `convolve`, with one kernel per channel: one multiplication of whole maps per tap."""
    matrix = weights.matrix.astype(values.dtype, copy=False)
    windows = kernel.windows(values, out_height, out_width)
    result = np.empty((out_height, out_width, values.shape[2]), values.dtype)
    rows = max(1, _DEPTHWISE_ELEMENTS // (out_width * values.shape[2]))
    for top in range(0, out_height, rows):
        part = windows[top : top + rows]
        sums = result[top : top + rows]
        np.multiply(part[:, :, 0, 0], matrix[0], out=sums)
        product = np.empty_like(sums)
        for tap in range(1, kernel.height * kernel.width):
            np.multiply(part[:, :, tap // kernel.width, tap % kernel.width], matrix[tap], out=product)
            sums += product
    return result
