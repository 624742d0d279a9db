# SPDX-License-Identifier: Apache-2.0
"""Feature maps in memory, with four tiles and two layouts.

A map is a box of height x width x channels. A row and a column split the map into tiles, each with
its own base address. For example, the lower tile of a rolling buffer starts at the buffer's first
row. Within a tile, an element is at y * stride_y + x * stride_x + channel (NHWC) or in a brick of
16 channels (NHCWB16). Maps are read and written without a loop over elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.faults import BusAbort, BusFault, Channel, MalformedStream
from pilotlight.npu.stream.memory import Memory

BRICK_CHANNELS = 16

Shape = tuple[int, int, int]

# A limit of this simulator, not of the hardware: a stream with damaged sizes must not take minutes
# and gigabytes. The largest maps that compilers make for these NPUs are twenty times smaller.
MAX_ELEMENTS = 1 << 26
# Arrays of at most this size are kept for the next run: to make them takes longer than to use them.
SMALL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a map in one tile."""

    top: int
    bottom: int
    left: int
    right: int
    address: int


@dataclass(frozen=True)
class Box:
    """A part of a feature map: half-open ranges of rows, columns and channels."""

    top: int
    bottom: int
    left: int
    right: int
    first: int
    last: int

    @property
    def spans(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        return (self.top, self.bottom), (self.left, self.right), (self.first, self.last)


@dataclass(frozen=True)
class FeatureMap:
    """The place of a map and the layout of its elements. The operation gives its size.

    region_base: address of the region, 0 if the map is not bound to memory.
    """

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

    def bind(self, memory: Memory, shape: Shape, *, writable: bool = False) -> BoundMap:
        """Find the map in memory.

        Raises BusAbort where there is no memory, MalformedStream for an impossible layout or size.
        """
        self._check_size(shape)
        pieces: list[Piece] = []
        for window in self._windows(shape):
            pieces += self._pieces(memory, window, shape[2], writable=writable)
        return BoundMap(shape, self.dtype, tuple(pieces))

    def read(self, memory: Memory, shape: Shape) -> NDArray[Any]:
        """Return the stored elements, as a view of the memory if the layout allows it."""
        return self.bind(memory, shape).read()

    def offsets(self, box: Box) -> NDArray[np.int64]:
        """Return the offsets of all bytes of `box`, tile by tile, in the order of the elements."""
        item = self.dtype.itemsize
        channels = np.arange(box.first, box.last)
        if self.bricks:
            starts = channels // BRICK_CHANNELS * self.stride_c + channels % BRICK_CHANNELS * item
        else:
            starts = channels * item
        within = (starts[:, None] + np.arange(item)).reshape(-1)
        tiles = (
            (0, self.height0, 0, self.width0),
            (0, self.height1, self.width0, box.right),
            (self.height0, box.bottom, 0, self.width0),
            (self.height1, box.bottom, self.width0, box.right),
        )
        parts = []
        for base, (top, bottom, left, right) in zip(self.bases, tiles, strict=True):
            y = np.arange(max(box.top, top), min(box.bottom, bottom)) - top
            x = np.arange(max(box.left, left), min(box.right, right)) - left
            pixels = (base + y[:, None] * self.stride_y + x * self.stride_x).reshape(-1, 1)
            parts.append((pixels + within).reshape(-1))
        return np.concatenate(parts)

    def _check_size(self, shape: tuple[int, ...]) -> None:
        if prod(shape) > MAX_ELEMENTS:
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

    def _pieces(self, memory: Memory, window: Window, depth: int, *, writable: bool) -> Iterator[Piece]:
        height, width = window.bottom - window.top, window.right - window.left
        rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
        item = self.dtype.itemsize
        strides = (self.stride_y, self.stride_x, item)
        if not self.bricks:
            stored = self._view(memory, window.address, (height, width, depth), strides, writable=writable)
            yield Piece((rows, columns), 0, stored)
            return
        if self.stride_x != BRICK_CHANNELS * item:
            raise MalformedStream(f"NHCWB16 stride_x {self.stride_x} is not {BRICK_CHANNELS} elements")
        full, rest = divmod(depth, BRICK_CHANNELS)
        if full:
            strides4 = (self.stride_y, self.stride_x, self.stride_c, item)
            shape4 = (height, width, full, BRICK_CHANNELS)
            stored = self._view(memory, window.address, shape4, strides4, writable=writable)
            # NumPy moves 16 bytes at once as a complex128. Nothing computes with these numbers.
            selected = (rows, columns, slice(0, full * BRICK_CHANNELS))
            yield Piece(selected, full, stored.view(np.complex128))
        if rest:
            address = window.address + full * self.stride_c
            tail = self._view(memory, address, (height, width, rest), strides, writable=writable)
            yield Piece((rows, columns, slice(full * BRICK_CHANNELS, None)), 0, tail)

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


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a dense array, and the memory that stores it.

    bricks: number of full bricks, viewed as pieces of 16 bytes; 0 for single elements.
    """

    selected: tuple[slice, ...]
    bricks: int
    stored: NDArray[Any]

    def of(self, dense: NDArray[Any]) -> NDArray[Any]:
        """Return a view of the part of `dense` with the same shape as `stored`."""
        part = dense[self.selected]
        return _in_sixteens(part, self.bricks) if self.bricks else part


class BoundMap:
    """A feature map with its memory. The map can be read and written any number of times.

    dense: the memory as an array, None if the layout is not that of an array.
    """

    __slots__ = ("_direct", "_kept", "_pieces", "dense", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: np.dtype[Any], pieces: tuple[Piece, ...]) -> None:
        self.shape, self.dtype, self._pieces = shape, dtype, pieces
        self.dense = pieces[0].stored if len(pieces) == 1 and not pieces[0].bricks else None
        self._direct = self.dense if self.dense is not None and self.dense.flags.c_contiguous else None
        # An array of a small map's shape, and the pairs of its parts and their memory: to find the
        # parts takes longer than to move them.
        self._kept: tuple[NDArray[Any], tuple[tuple[NDArray[Any], NDArray[Any]], ...]] | None = None

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def read(self) -> NDArray[Any]:
        """Return the stored elements, as a view of the memory if the layout allows it.

        The result is valid until the next call of a method. Nobody may write to it.
        """
        if self.dense is not None:
            return self.dense
        values, moves = self._array()
        for part, stored in moves:
            part[...] = stored
        return values

    def last(self) -> Any:
        """Return the last stored element."""
        return self.read()[-1, -1, -1]

    def output(self) -> NDArray[Any]:
        """Return an array to fill with the map's elements and to give to `put`, contiguous."""
        return self._array()[0] if self._direct is None else self._direct

    def put(self, values: NDArray[Any]) -> None:
        """Write elements to memory, `values` being what `output` returned or another array."""
        if values is self.dense:
            return
        kept = self._kept
        moves = kept[1] if kept is not None and kept[0] is values else self._moves(values)
        for part, stored in moves:
            stored[...] = part

    def _array(self) -> tuple[NDArray[Any], tuple[tuple[NDArray[Any], NDArray[Any]], ...]]:
        if self._kept is not None:
            return self._kept
        values = np.empty(self.shape, self.dtype)
        found = values, self._moves(values)
        if values.nbytes <= SMALL_BYTES:
            self._kept = found
        return found

    def _moves(self, values: NDArray[Any]) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        return tuple((piece.of(values), piece.stored) for piece in self._pieces)


class ReorderedMap:
    """A map that is stored with other axes, and can only be written.

    shape: as the operation computes the map. order: its axes in the order of the stored map.
    flipped: the axis of the stored map that is stored in reverse, None for none.
    """

    __slots__ = ("_flipped", "_order", "_stored", "dtype", "shape")

    def __init__(self, stored: BoundMap, shape: Shape, order: tuple[int, int, int], flipped: int | None) -> None:
        self._stored, self._order, self._flipped = stored, order, flipped
        self.shape, self.dtype = shape, stored.dtype

    @property
    def nbytes(self) -> int:
        return self._stored.nbytes

    def read(self) -> NDArray[Any]:
        raise MalformedStream("an input with other axes")

    def last(self) -> Any:
        """Return the last stored element."""
        return self._stored.last()

    def output(self) -> NDArray[Any]:
        """Return an array to fill with the map's elements and to give to `put`, contiguous."""
        return np.empty(self.shape, self.dtype)

    def put(self, values: NDArray[Any]) -> None:
        """Write elements to memory, in the order in which the operation computes them."""
        stored = values.reshape(self.shape).transpose(self._order)
        if self._flipped is not None:
            stored = np.flip(stored, self._flipped)
        self._stored.put(np.ascontiguousarray(stored))


OutputMap = BoundMap | ReorderedMap


def _in_sixteens(part: NDArray[Any], bricks: int) -> NDArray[np.complex128]:
    """View [height, width, channels] as [height, width, bricks, bytes of a brick / 16]."""
    height, width, _ = part.shape
    row, column, item = part.strides
    strides = (row, column, BRICK_CHANNELS * item, item)
    shaped: NDArray[Any] = np.lib.stride_tricks.as_strided(part, (height, width, bricks, BRICK_CHANNELS), strides)
    return shaped.view(np.complex128)


def access(
    memory: Memory, address: int, size_bytes: int, channel: Channel, region: int | None, *, writable: bool = False
) -> NDArray[np.uint8]:
    """Return a view of memory for a bus master. Raises BusAbort with the channel and the region."""
    try:
        return memory.view(address, size_bytes, writable=writable)
    except BusFault as fault:
        where = "command stream" if region is None else f"region {region}"
        raise BusAbort(f"{channel.name} channel, {where}: {fault}", channel, region) from None
