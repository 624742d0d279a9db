# SPDX-License-Identifier: Apache-2.0
"""Puts the weights of U85's streams in the order of a matrix.

As for U55 (weight_order.py), the order is a nest of loops, and runs of blocks of equal size are
arrays of many axes. What U85 does differently:

- Every second block of outputs takes the blocks of inputs backwards.
- Sub-kernels follow each other column by column. In a sub-kernel, taps with the same phase of the
  stride are together, and every second row is backwards.
- A stream per core has four of each 4 x cores output channels.
- A block of inputs has up to 128 channels, and inner runs of 8, or of 16 if weights are sparse.
- Depthwise weights have unused places after each 10 taps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.weight_codec_fast import decode_fast
from pilotlight.npu.stream.faults import BadWeights, MalformedStream

_SUB_KERNEL = 8
# Neighbouring output channels that one core has.
_CORE_CHANNELS = 4
_CORES = {128: 1, 256: 1, 512: 2, 1024: 4, 2048: 4}


@dataclass(frozen=True)
class WeightGeometryU85:
    """The numbers that determine the order of U85's weights.

    in_channels: not used if depthwise. height, width: of the undilated kernel.
    sparse: whether two of each four weights are zero. The stream has these zeros too.
    fast: whether the stream is in the fast format (weight_codec_fast.py).
    ofm_microblock_depth: a multiple of 4 x cores.
    macs: multiplications per cycle, 128 to 2048.
    """

    depthwise: bool
    out_channels: int
    in_channels: int
    height: int
    width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    part_kernel_first: bool
    ifm_bits: int
    sparse: bool
    fast: bool
    ofm_block_depth: int
    ofm_microblock_depth: int
    macs: int

    @property
    def cores(self) -> int:
        """The number of cores that decode weights."""
        return _CORES[self.macs]

    @property
    def rows(self) -> int:
        """The rows of the matrix."""
        return self.height * self.width * (1 if self.depthwise else self.in_channels)

    @property
    def streams(self) -> int:
        """The number of streams. A fast stream has the weights of all cores."""
        return 1 if self.fast else self.cores

    def matrix(self, streams: tuple[bytes, ...], decode: Callable[[bytes], NDArray[np.int16]]) -> NDArray[np.float32]:
        """Return the matrix of the weights in `streams`.

        streams: `self.streams` of them; one that is not fast may be empty if its core has
            no channels.
        decode: returns the weights of a stream that is not fast. It may return more than are used.

        The matrix is [height * width * in_channels, out_channels], or [height * width, channels] if
        depthwise. Raises BadWeights if a stream does not decode or is too short, and
        MalformedStream for a combination that is not known.
        """
        assert len(streams) == self.streams
        if self.fast and self.depthwise:
            raise MalformedStream("the order of depthwise weights in the fast format is not known")
        # A core whose channels are beyond the block has only padding.
        used = min(self.cores, -(-min(self.out_channels, self.ofm_block_depth) // _CORE_CHANNELS))
        decoded = [decode_fast(streams[0])] if self.fast else [decode(stream) for stream in streams[:used]]
        held, least = sum(map(len, decoded)), self.rows * self.out_channels
        if held < least:  # Before any work that grows with the kernel.
            raise BadWeights(f"weight streams hold {held} weights, but the operation has {least}")
        order = _Order(self)
        cores = order.split(decoded[0]) if self.fast else decoded
        for values in cores:
            if len(values) < order.length:
                raise BadWeights(f"a weight stream holds {len(values)} weights, but the operation needs {order.length}")
        return order.matrix(cores)


@dataclass(frozen=True)
class _SubKernel:
    """A part of the kernel.

    places: for each tap, row by row, its place in the stream. length: places in the stream.
    """

    top: int
    left: int
    rows: int
    columns: int
    places: NDArray[np.intp]
    length: int


@dataclass(frozen=True)
class _InputBlocks:
    """Input blocks of equal size: the first channel, their number, and micro-blocks in each."""

    first: int
    count: int
    steps: int


class _Order:
    """The order of one geometry.

    length: weights in the whole stream of a core.
    """

    def __init__(self, geometry: WeightGeometryU85) -> None:
        self._geometry = geometry
        self._core_depth = geometry.ofm_microblock_depth // geometry.cores
        self._sub_kernels = tuple(self._find_sub_kernels())
        self._blocks = tuple(self._find_blocks())

    @cached_property
    def length(self) -> int:
        g = self._geometry
        whole, rest = divmod(g.out_channels, g.ofm_block_depth)
        deep = whole * self._microblocks(g.ofm_block_depth) + self._microblocks(rest)
        places = sum(sub_kernel.length for sub_kernel in self._sub_kernels)
        steps = sum(run.count * run.steps for run in self._blocks)
        return deep * self._core_depth * steps * self._in_step * places

    def split(self, values: NDArray[np.int16]) -> list[NDArray[np.int16]]:
        """Return the weights of each core in a fast stream. The end may be missing.

        The cores take turns. A turn is a micro-block of outputs and inputs, for as many taps as
        their number is rounded to.
        """
        cores = self._geometry.cores
        if cores == 1:
            return [values]
        turn = self._core_depth * self._in_step * self._rounding
        whole = values[: len(values) // (turn * cores) * turn * cores].reshape(-1, cores, turn)
        return [whole[:, core].reshape(-1) for core in range(cores)]

    def matrix(self, cores: list[NDArray[np.int16]]) -> NDArray[np.float32]:
        """cores: the weights of each core with channels."""
        g = self._geometry
        in_depth = max(run.first + run.count * run.steps * self._in_step for run in self._blocks)
        # One micro-block of outputs more than needed: a block's last one may exceed the block.
        padded = np.zeros((g.height, g.width, in_depth, g.out_channels + g.ofm_microblock_depth), np.float32)
        at = 0
        for number, first in enumerate(range(0, g.out_channels, g.ofm_block_depth)):
            deep = self._microblocks(min(g.ofm_block_depth, g.out_channels - first))
            backwards = number % 2 == 1
            for run in reversed(self._blocks) if backwards else self._blocks:
                end = run.first + run.count * run.steps * self._in_step
                target = padded[:, :, run.first : end, first : first + deep * g.ofm_microblock_depth]
                at = self._place(cores, at, target, run, deep, backwards=backwards)
        in_channels = 1 if g.depthwise else g.in_channels
        return np.ascontiguousarray(padded[:, :, :in_channels, : g.out_channels]).reshape(g.rows, g.out_channels)

    def _place(
        self,
        cores: list[NDArray[np.int16]],
        at: int,
        target: NDArray[np.float32],
        run: _InputBlocks,
        deep: int,
        *,
        backwards: bool,
    ) -> int:
        """Write the weights of a run of input blocks, and return where the next run starts.

        target: [height, width, input channels, output channels]. deep: micro-blocks of output
        channels.
        """
        g = self._geometry
        sizes = [run.steps * deep * part.length * self._in_step * self._core_depth for part in self._sub_kernels]
        end = at + run.count * sum(sizes)
        inner = self._inner
        quads = self._core_depth // _CORE_CHANNELS
        for core, values in enumerate(cores):
            stream = values[at:end].reshape(run.count, sum(sizes))
            if backwards:
                stream = stream[::-1]
            begin = 0
            for part, size in zip(self._sub_kernels, sizes, strict=True):
                nest = stream[:, begin : begin + size].reshape(
                    run.count, run.steps, deep, part.length, self._in_step // inner, quads, _CORE_CHANNELS, inner
                )
                begin += size
                taps = nest.take(part.places, axis=3)
                taps = taps.reshape(*taps.shape[:3], part.rows, part.columns, *taps.shape[4:])
                rows, columns = slice(part.top, part.top + part.rows), slice(part.left, part.left + part.columns)
                places = target[rows, columns].reshape(
                    *(part.rows, part.columns),
                    *(run.count, run.steps, self._in_step // inner, inner),
                    *(deep, quads, g.cores, _CORE_CHANNELS),
                )
                places[..., core, :] = taps.transpose(3, 4, 0, 1, 5, 8, 2, 6, 7)
        return end

    def _microblocks(self, depth: int) -> int:
        return -(-depth // self._geometry.ofm_microblock_depth)

    @property
    def _block_depth(self) -> int:
        """Input channels of a block."""
        g = self._geometry
        if g.part_kernel_first:
            return 16
        if g.ifm_bits == 32 or (g.macs <= 256 and g.ofm_microblock_depth == 16 and not g.sparse):
            return 32
        return 128 if g.sparse and g.ifm_bits == 8 else 64

    @cached_property
    def _in_step(self) -> int:
        """Input channels of a micro-block."""
        g = self._geometry
        if g.depthwise:
            return 1
        return 8 if g.part_kernel_first and g.ifm_bits == 16 and not g.sparse else self._block_depth

    @property
    def _inner(self) -> int:
        """Neighbouring input channels in the stream."""
        g = self._geometry
        return 1 if g.depthwise else 16 if g.sparse else 8

    @property
    def _rounding(self) -> int:
        """The number of taps is rounded up to a multiple of this."""
        g = self._geometry
        if g.depthwise:
            return 10
        return 1 if not g.part_kernel_first else 10 if g.ifm_bits == 16 or g.sparse else 5

    @property
    def _unused(self) -> int:
        """The number of unused places after each `_rounding` taps."""
        g = self._geometry
        if not g.depthwise or (g.ifm_bits != 16 and g.macs <= 256):
            return 0
        return 2 if g.macs <= 512 else 6

    def _find_blocks(self) -> Iterator[_InputBlocks]:
        g, depth, step = self._geometry, self._block_depth, self._in_step
        if g.depthwise:
            yield _InputBlocks(0, 1, 1)
            return
        whole, rest = divmod(g.in_channels, depth)
        steps = -(-rest // step)
        if steps * step == depth:  # The last block is padded to the depth of the others.
            whole, steps = whole + 1, 0
        if whole:
            yield _InputBlocks(0, whole, depth // step)
        if steps:
            yield _InputBlocks(whole * depth, 1, steps)

    def _find_sub_kernels(self) -> Iterator[_SubKernel]:
        g = self._geometry
        sub_height, sub_width = _SUB_KERNEL // g.dilation_y, _SUB_KERNEL // g.dilation_x
        for left in range(0, g.width, sub_width):
            for top in range(0, g.height, sub_height):
                rows, columns = min(sub_height, g.height - top), min(sub_width, g.width - left)
                groups = -(-rows * columns // self._rounding)
                length = groups * (self._rounding + self._unused)
                yield _SubKernel(top, left, rows, columns, self._places(rows, columns), length)

    def _places(self, rows: int, columns: int) -> NDArray[np.intp]:
        """Return the place of each tap of a sub-kernel in the stream."""
        g = self._geometry
        phased = g.part_kernel_first or g.depthwise
        stride_y, stride_x = (g.stride_y, g.stride_x) if phased else (1, 1)
        places = np.empty((rows, columns), np.intp)
        taps = 0
        for phase_y in range(min(stride_y, rows)):
            for phase_x in range(min(stride_x, columns)):
                phase = places[phase_y::stride_y, phase_x::stride_x]
                phase[...] = np.arange(taps, taps + phase.size).reshape(phase.shape)
                phase[1::2] = phase[1::2, ::-1].copy()
                taps += phase.size
        # Each group of taps is followed by the unused places.
        return (places + places // self._rounding * self._unused).reshape(-1)
