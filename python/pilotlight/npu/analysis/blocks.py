# SPDX-License-Identifier: Apache-2.0
"""The parts in which hardware takes inputs and kernels.

A block of output is computed from slices of the input's channels. The slices of U55 and U65 are
those of the order of weights. So are those of U85 (`arithmetic/weight_order_u85.py`).
"""

from __future__ import annotations

from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.isa import Generation
from pilotlight.npu.stream.operations import Operation

# With at most this many MACs per cycle, micro-blocks of 16 channels take slices of 32 channels.
_SMALL_MACS = 256
_DEEP_MICROBLOCK = 16
# Larger kernels are split into parts of this size; in elements of each axis.
SUB_KERNEL = 8


def input_block_depth(operation: Operation, configuration: Configuration) -> int:
    """Return the channels of a slice, for an operation that reads all channels for each output."""
    item = operation.inputs[0].map.dtype.itemsize
    if operation.kernel is not None and operation.kernel.part_kernel_first:
        return 16
    if configuration.product.generation is Generation.FIRST:
        return 16 if item > 1 else 32
    dense = not operation.sparse_weights
    small = configuration.macs_per_cycle <= _SMALL_MACS and operation.microblock[2] == _DEEP_MICROBLOCK
    if item == 4 or (small and dense):
        return 32
    return 64 if dense or item > 1 else 128


def sub_kernels(height: int, width: int) -> list[tuple[int, int]]:
    """Return (elements, number) of the parts of a kernel: whole ones, and those at its edges."""
    return [
        (rows * columns, down * across)
        for rows, down in _pieces(height)
        for columns, across in _pieces(width)
        if down and across
    ]


def _pieces(size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    whole, rest = divmod(size, SUB_KERNEL)
    return (SUB_KERNEL, whole), (rest, 1 if rest else 0)


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step
