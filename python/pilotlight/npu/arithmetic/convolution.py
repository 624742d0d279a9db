# SPDX-License-Identifier: Apache-2.0
"""Convolution and depthwise convolution in floating point, with exact integer sums.

A float32 holds every integer up to 2**24 exactly, a float64 up to 2**53. As long as the sum of
absolute products is smaller, every partial sum is exact, in any order in which BLAS adds. The
weights and the largest input bound this sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.scratch import Scratch
from pilotlight.npu.arithmetic.weight_matrix import FLOAT32_EXACT, Weights
from pilotlight.npu.compiled.loops import depthwise
from pilotlight.npu.stream.kernel import Kernel

# The windows of a convolution are copied in pieces of about _WINDOW_ELEMENTS, which fit into the
# cache. A piece has at least _WINDOW_POSITIONS positions, because each product reads all weights.
_WINDOW_ELEMENTS = 1 << 18
_WINDOW_POSITIONS = 256


def accumulator_dtype(weights: Weights, largest_input: int) -> type[np.float32] | type[np.float64]:
    return np.float32 if weights.largest_sum * largest_input < FLOAT32_EXACT else np.float64


def convolve(
    values: NDArray[Any], weights: Weights, kernel: Kernel, out_height: int, out_width: int, scratch: Scratch
) -> NDArray[Any]:
    """Convolve padded values and return [out_height, out_width, channels] in scratch memory.

    values: [height, width, channels] in the type of `accumulator_dtype`, contiguous.
    """
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
    """Convolve like `convolve`, but with one kernel per channel.

    Each row of the output is a sum of rows of columns x channels. So the inner loop is long, even
    if there are few channels.
    """
    row, column, item = values.strides
    channels = values.shape[2]
    if kernel.stride_x == 1:
        tap_row, tap_column = row, column * kernel.dilation_x
    else:
        # Make the columns of one tap adjacent.
        shape = (values.shape[0], kernel.width, out_width, channels)
        strides = (row, column * kernel.dilation_x, column * kernel.stride_x, item)
        spread: NDArray[Any] = np.ndarray(shape, values.dtype, values, 0, strides)
        values = scratch.array("columns", shape, values.dtype)
        np.copyto(values, spread)
        tap_row, tap_column = values.strides[:2]
    lanes = out_width * channels
    shape = (out_height, kernel.height, kernel.width, lanes)
    strides = (tap_row * kernel.stride_y, tap_row * kernel.dilation_y, tap_column, item)
    taps: NDArray[Any] = np.ndarray(shape, values.dtype, values, 0, strides)
    factors = weights.repeated(out_width, values.dtype).reshape(kernel.height, kernel.width, lanes)
    result = scratch.array("sums", (out_height, out_width, channels), values.dtype)
    sums = result.reshape(out_height, lanes)
    if not depthwise(taps, factors, sums):
        np.einsum("hyxl,yxl->hl", taps, factors, out=sums)
    return result
