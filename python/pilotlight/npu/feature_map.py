# SPDX-License-Identifier: Apache-2.0
"""Feature maps in memory: four tiles, two layouts, read and written without a loop over elements.

A map is a box of height x width x channels. Tiles split it in two at a row and at a column, each part with its own
base address (a rolling buffer is a map whose lower tile starts at the buffer's first row). Within a tile elements lie
at y * stride_y + x * stride_x + channel (NHWC), or in bricks of 16 channels (NHCWB16).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.faults import BusAbort, BusFault, Channel, MalformedStream
from pilotlight.npu.memory import Memory

BRICK_CHANNELS = 16

Shape = tuple[int, int, int]

# A limit of this simulator, not of the hardware: a stream with damaged sizes must not take minutes and gigabytes.
# The largest maps compilers make for these NPUs are a hundred times smaller.
MAX_ELEMENTS = 1 << 28


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a map that lies behind one base address with constant strides."""

    top: int
    bottom: int
    left: int
    right: int
    address: int


@dataclass(frozen=True)
class FeatureMap:
    """Where a map lies and how its elements are stored. Its size comes from the operation."""

    channel: Channel
    region: int
    region_base: int
    bases: tuple[int, int, int, int]
    stride_y: int
    stride_x: int
    stride_c: int
    height0: int
    height1: int
    width0: int
    dtype: np.dtype[Any]
    bricks: bool
    zero_point: int

    def read(self, memory: Memory, shape: Shape) -> NDArray[Any]:
        """Return the stored elements; a view of the memory where the layout allows."""
        self._check_size(shape)
        windows = list(self._windows(shape))
        if not self.bricks and len(windows) == 1:
            return self._view(memory, windows[0].address, shape, (self.stride_y, self.stride_x, self.dtype.itemsize))
        values = np.empty(shape, self.dtype)
        for window in windows:
            target = values[window.top : window.bottom, window.left : window.right]
            for part, stored in self._parts(memory, window, target, writable=False):
                part[...] = stored
        return values

    def write(self, memory: Memory, values: NDArray[Any]) -> None:
        self._check_size(values.shape)
        height, width, depth = values.shape
        values = np.ascontiguousarray(values)
        for window in self._windows((height, width, depth)):
            source = values[window.top : window.bottom, window.left : window.right]
            for part, stored in self._parts(memory, window, source, writable=True):
                stored[...] = part

    def _check_size(self, shape: tuple[int, ...]) -> None:
        if int(np.prod(shape, dtype=object)) > MAX_ELEMENTS:
            raise MalformedStream(f"a feature map of {'x'.join(map(str, shape))} elements is beyond this simulator")

    def _windows(self, shape: Shape) -> Iterator[Window]:
        height, width, _ = shape
        columns = ((0, min(width, self.width0), self.height0, 0), (self.width0, width, self.height1, 1))
        for left, right, split, tile in columns:
            for top, bottom, base in ((0, min(height, split), self.bases[tile]), (split, height, self.bases[tile + 2])):
                if top < bottom and left < right:
                    if self.bricks and base % BRICK_CHANNELS != 0:
                        raise MalformedStream(f"NHCWB16 base {base:#x} is not a multiple of 16")
                    yield Window(top, bottom, left, right, self.region_base + base)

    def _parts(
        self, memory: Memory, window: Window, dense: NDArray[Any], *, writable: bool
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Pair parts of `dense` with the memory they are stored in, so that either can be assigned to the other."""
        height, width, depth = dense.shape
        item = self.dtype.itemsize
        if not self.bricks:
            strides = (self.stride_y, self.stride_x, item)
            yield dense, self._view(memory, window.address, (height, width, depth), strides, writable=writable)
            return
        if self.stride_x != BRICK_CHANNELS * item:
            raise MalformedStream(f"NHCWB16 stride_x {self.stride_x} is not {BRICK_CHANNELS} elements")
        full, rest = divmod(depth, BRICK_CHANNELS)
        if full:
            part = dense[:, :, : full * BRICK_CHANNELS]
            strides4 = (self.stride_y, self.stride_x, self.stride_c, item)
            shape4 = (height, width, full, BRICK_CHANNELS)
            stored = self._view(memory, window.address, shape4, strides4, writable=writable)
            # 16 bytes at a time: NumPy moves a complex128 as one piece. No arithmetic happens on it.
            yield _in_sixteens(part, full), stored.view(np.complex128)
        if rest:
            address = window.address + full * self.stride_c
            strides = (self.stride_y, self.stride_x, item)
            tail = self._view(memory, address, (height, width, rest), strides, writable=writable)
            yield dense[:, :, full * BRICK_CHANNELS :], tail

    def _view(
        self,
        memory: Memory,
        address: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *,
        writable: bool = False,
    ) -> NDArray[Any]:
        reaches = [(count - 1) * stride for count, stride in zip(shape, strides, strict=True)]
        lowest = address + sum(min(0, reach) for reach in reaches)
        size_bytes = address - lowest + sum(max(0, reach) for reach in reaches) + self.dtype.itemsize
        data = access(memory, lowest, size_bytes, self.channel, self.region, writable=writable)
        return np.ndarray(shape, self.dtype, data, address - lowest, strides)


def _in_sixteens(part: NDArray[Any], bricks: int) -> NDArray[np.complex128]:
    """View [height, width, channels] as [height, width, bricks, bytes of a brick / 16]; shares the data."""
    height, width, _ = part.shape
    row, column, item = part.strides
    strides = (row, column, BRICK_CHANNELS * item, item)
    shaped: NDArray[Any] = np.lib.stride_tricks.as_strided(part, (height, width, bricks, BRICK_CHANNELS), strides)
    return shaped.view(np.complex128)


def access(
    memory: Memory, address: int, size_bytes: int, channel: Channel, region: int | None, *, writable: bool = False
) -> NDArray[np.uint8]:
    """View memory on behalf of a bus master. Raises BusAbort, which names it."""
    try:
        return memory.view(address, size_bytes, writable=writable)
    except BusFault as fault:
        where = "command stream" if region is None else f"region {region}"
        raise BusAbort(f"{channel.name} channel, {where}: {fault}", channel, region) from None
