# SPDX-License-Identifier: Apache-2.0
"""The kernel that convolutions and pools slide over their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import Upscale


@dataclass(frozen=True)
class Kernel:
    """A kernel. height, width: without dilation."""

    height: int
    width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    pad_top: int
    pad_left: int
    pad_bottom: int
    pad_right: int
    part_kernel_first: bool

    @property
    def padded(self) -> bool:
        return bool(self.pad_top or self.pad_left or self.pad_bottom or self.pad_right)

    @property
    def pointwise(self) -> bool:
        return self.height == self.width == self.stride_y == self.stride_x == 1 and not self.padded

    def input_size(self, out_height: int, out_width: int) -> tuple[int, int]:
        """Return rows and columns of the (upscaled) input. No register holds them.

        Each may be 0: compilers cut outputs into stripes, and a stripe may see only padding.
        Raises MalformedStream if one is negative.
        """
        height = (out_height - 1) * self.stride_y + (self.height - 1) * self.dilation_y + 1
        width = (out_width - 1) * self.stride_x + (self.width - 1) * self.dilation_x + 1
        height -= self.pad_top + self.pad_bottom
        width -= self.pad_left + self.pad_right
        if height < 0 or width < 0:
            raise MalformedStream(f"padding leaves an input of {height}x{width}")
        return height, width

    def input_rows(self, top: int, bottom: int, in_height: int) -> tuple[int, int]:
        """Return the range of input rows that output rows `top` to `bottom` depend on.

        in_height: rows of the (upscaled) input.
        """
        reach = (self.height - 1) * self.dilation_y + 1
        return _behind(top, bottom, in_height, self.stride_y, reach, self.pad_top)

    def input_columns(self, left: int, right: int, in_width: int) -> tuple[int, int]:
        """Return the range of input columns that output columns `left` to `right` depend on."""
        reach = (self.width - 1) * self.dilation_x + 1
        return _behind(left, right, in_width, self.stride_x, reach, self.pad_left)

    def pad(self, values: NDArray[Any], fill: int) -> NDArray[Any]:
        if not self.padded:
            return values
        padded = np.empty(self.padded_shape(*values.shape), values.dtype)
        self.fill_padding(padded, fill)[...] = values
        return padded

    def fill_padding(self, padded: NDArray[Any], fill: int) -> NDArray[Any]:
        """Write the padding of `padded`, an array of shape `padded_shape` and any type.

        Returns a view of the part inside the padding.
        """
        top, left = self.pad_top, self.pad_left
        bottom, right = padded.shape[0] - self.pad_bottom, padded.shape[1] - self.pad_right
        if self.padded:
            padded[:top], padded[bottom:] = fill, fill
            padded[top:bottom, :left], padded[top:bottom, right:] = fill, fill
        return padded[top:bottom, left:right]

    def padded_rows(self, top: int, bottom: int) -> slice:
        """Return the rows of the padded input that output rows `top` to `bottom` depend on."""
        return slice(top * self.stride_y, (bottom - 1) * self.stride_y + (self.height - 1) * self.dilation_y + 1)

    def padded_shape(self, height: int, width: int, depth: int) -> tuple[int, int, int]:
        return height + self.pad_top + self.pad_bottom, width + self.pad_left + self.pad_right, depth

    def windows(self, padded: NDArray[Any], out_height: int, out_width: int) -> NDArray[Any]:
        """Return a view as [out_height, out_width, kernel height, kernel width, channels].

        padded: contiguous.
        """
        row, column, channel = padded.strides
        shape = (out_height, out_width, self.height, self.width, padded.shape[2])
        strides = (
            row * self.stride_y,
            column * self.stride_x,
            row * self.dilation_y,
            column * self.dilation_x,
            channel,
        )
        return np.ndarray(shape, padded.dtype, padded, 0, strides)


def _behind(start: int, end: int, in_size: int, stride: int, reach: int, padding: int) -> tuple[int, int]:
    first, last = start * stride - padding, (end - 1) * stride + reach - padding
    return max(0, min(first, in_size)), max(0, min(last, in_size))


def upscale(values: NDArray[Any], mode: Upscale, height: int, width: int, zero: int) -> NDArray[Any]:
    """Double both axes and cut the result to height x width.

    NEAREST repeats elements. ZEROS puts elements at even positions and `zero` between them.
    """
    if mode is Upscale.NONE:
        return values
    if mode is Upscale.NEAREST:
        doubled = values.repeat(2, axis=0).repeat(2, axis=1)
    else:
        doubled = np.full((2 * values.shape[0], 2 * values.shape[1], values.shape[2]), zero, values.dtype)
        doubled[::2, ::2] = values
    return doubled[:height, :width]


def stored_size(size: int, mode: Upscale) -> int:
    """Return the rows or columns in memory of a map with the upscaled size `size`."""
    return size if mode is Upscale.NONE else -(-size // 2)
