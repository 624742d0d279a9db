# SPDX-License-Identifier: Apache-2.0
"""Puts the weights of a stream in the order of a matrix.

The order of weights in a stream is a nest of loops over blocks, sub-kernels and micro-blocks. So a
run of blocks of equal size is an array of many axes, and an assignment brings these into another
order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.faults import BadWeights

_IFM_MICROBLOCK = 8
_SUB_KERNEL = 8


@dataclass(frozen=True)
class WeightGeometry:
    """The numbers that determine the order of weights. height, width: of the undilated kernel."""

    depthwise: bool
    out_channels: int
    in_channels: int
    height: int
    width: int
    dilation_y: int
    dilation_x: int
    part_kernel_first: bool
    ifm_bits: int
    ofm_block_depth: int
    ofm_microblock_depth: int

    def matrix(self, streams: tuple[bytes, ...], decode: Callable[[bytes], NDArray[np.int16]]) -> NDArray[np.float32]:
        """Return the matrix of the weights in `streams`, one per core.

        Core s has the output channels with index mod len(streams) = s. decode: returns the weights
        of a stream.

        The matrix is [height * width * in_channels, out_channels], or [height * width, channels] if
        depthwise. Raises BadWeights if a stream does not decode or is too short.
        """
        rows = self.height * self.width * (1 if self.depthwise else self.in_channels)
        matrix = np.zeros((rows, self.out_channels), np.float32)
        cores = len(streams)
        for core, stream in enumerate(streams):
            channels = -(-(self.out_channels - core) // cores)
            if channels < 1:
                continue
            block_depth = -(-(self.ofm_block_depth - core) // cores)
            share = replace(self, out_channels=channels, ofm_block_depth=max(1, block_depth))
            matrix[:, core::cores] = in_order(decode(stream), share)
        return matrix


@dataclass(frozen=True)
class _SubKernel:
    """A part of the kernel. taps: elements in the stream, with padding."""

    top: int
    left: int
    rows: int
    columns: int
    taps: int


@dataclass(frozen=True)
class _InputBlocks:
    """Input blocks of equal size: the first channel, their number, and micro-blocks in each."""

    first: int
    count: int
    steps: int


def in_order(values: NDArray[np.int16], geometry: WeightGeometry) -> NDArray[np.float32]:
    """Return the matrix of a stream's weights.

    values: the stream, which may be longer than needed. Raises BadWeights if it is too short.

    The matrix is [height * width * in_channels, out_channels], or [height * width, channels] if
    depthwise.
    """
    g = geometry
    out_step, item = g.ofm_microblock_depth, 1 if g.depthwise else _IFM_MICROBLOCK
    in_channels = 1 if g.depthwise else g.in_channels
    sub_kernels, blocks = tuple(_sub_kernels(g)), tuple(_input_blocks(g, in_channels))
    in_depth = max(run.first + run.count * run.steps * item for run in blocks)
    # One micro-block of outputs more than needed: a block's last one may reach beyond the block.
    padded = np.zeros((g.height, g.width, in_depth, g.out_channels + out_step), np.float32)
    at = 0
    for first in range(0, g.out_channels, g.ofm_block_depth):
        deep = -(-min(g.ofm_block_depth, g.out_channels - first) // out_step)
        for run in blocks:
            sizes = [deep * out_step * item * run.steps * sub_kernel.taps for sub_kernel in sub_kernels]
            length = run.count * sum(sizes)
            if at + length > len(values):
                needed = _length(g, sub_kernels, blocks, item)
                raise BadWeights(f"a weight stream holds {len(values)} weights, but the operation needs {needed}")
            stream = values[at : at + length].reshape(run.count, sum(sizes))
            at += length
            begin = 0
            for sub_kernel, size in zip(sub_kernels, sizes, strict=True):
                part = _part(stream[:, begin : begin + size], g, sub_kernel, run, deep, item)
                begin += size
                bottom, right = sub_kernel.top + sub_kernel.rows, sub_kernel.left + sub_kernel.columns
                end = run.first + run.count * run.steps * item
                padded[
                    sub_kernel.top : bottom,
                    sub_kernel.left : right,
                    run.first : end,
                    first : first + deep * out_step,
                ] = part
    matrix = padded[:, :, :in_channels, : g.out_channels]
    return np.ascontiguousarray(matrix).reshape(-1, g.out_channels)


def _part(
    stream: NDArray[np.int16], g: WeightGeometry, sub_kernel: _SubKernel, run: _InputBlocks, deep: int, item: int
) -> NDArray[Any]:
    """Return the weights of a sub-kernel as [rows, columns, input channels, output channels].

    stream: [input blocks, weights]. deep: micro-blocks of output channels.
    """
    # In part-kernel order, the micro-blocks of input are the outer loop. In depth-first order, they
    # are the inner loop.
    outer, inner = (run.steps, 1) if g.part_kernel_first else (1, run.steps)
    out_step = g.ofm_microblock_depth
    nest = stream.reshape(run.count, outer, deep, sub_kernel.taps, inner, out_step, item)
    used = nest[:, :, :, : sub_kernel.rows * sub_kernel.columns]
    ordered = used.transpose(3, 0, 1, 4, 6, 2, 5)
    return ordered.reshape(sub_kernel.rows, sub_kernel.columns, run.count * run.steps * item, deep * out_step)


def _sub_kernels(g: WeightGeometry) -> Iterator[_SubKernel]:
    multiple = 4 if g.depthwise else ((4 if g.ifm_bits == 8 else 2) if g.part_kernel_first else 1)
    sub_height, sub_width = _SUB_KERNEL // g.dilation_y, _SUB_KERNEL // g.dilation_x
    for top in range(0, g.height, sub_height):
        for left in range(0, g.width, sub_width):
            rows, columns = min(sub_height, g.height - top), min(sub_width, g.width - left)
            yield _SubKernel(top, left, rows, columns, -(-rows * columns // multiple) * multiple)


def _input_blocks(g: WeightGeometry, in_channels: int) -> Iterator[_InputBlocks]:
    if g.depthwise:
        yield _InputBlocks(0, 1, 1)
        return
    part = g.part_kernel_first
    depth = 16 if part or g.ifm_bits == 16 else 32
    # In depth-first order, the last block is padded to the depth of the others.
    whole = in_channels // depth if part else -(-in_channels // depth)
    if whole:
        yield _InputBlocks(0, whole, depth // _IFM_MICROBLOCK)
    if in_channels > whole * depth:
        yield _InputBlocks(whole * depth, 1, -(-(in_channels - whole * depth) // _IFM_MICROBLOCK))


def _length(g: WeightGeometry, sub_kernels: tuple[_SubKernel, ...], blocks: tuple[_InputBlocks, ...], item: int) -> int:
    """Return the number of weights in a whole stream."""
    firsts = range(0, g.out_channels, g.ofm_block_depth)
    deep = sum(-(-min(g.ofm_block_depth, g.out_channels - first) // g.ofm_microblock_depth) for first in firsts)
    taps, steps = sum(sub_kernel.taps for sub_kernel in sub_kernels), sum(run.count * run.steps for run in blocks)
    return deep * g.ofm_microblock_depth * item * steps * taps
