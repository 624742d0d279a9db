# SPDX-License-Identifier: Apache-2.0
"""Finds the bytes that operations read and write. Operations other than copies are kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.feature_map import Box
from pilotlight.npu.stream.operations import INTERNAL, Copy, CopyEnd, Operand, Operation, Range

Offsets = NDArray[np.int64]

# Configurations with this much internal memory may put accumulators where tables are.
_SHARED_SHRAM_KIB = 16


@dataclass(frozen=True)
class Bytes:
    """Bytes of a region, or of the NPU's own memory (INTERNAL), by their offsets."""

    region: int
    offsets: Offsets

    @classmethod
    def of(cls, place: Range) -> Bytes:
        return cls(place.region, place.start + np.arange(place.size))

    @classmethod
    def of_copy(cls, copy: Copy, end: CopyEnd) -> Bytes:
        """Return the bytes at one end of a copy, in the order in which they are copied."""
        return cls(end.piece.region, copy.offsets(end))

    @classmethod
    def all_of_copy(cls, copy: Copy) -> tuple[Bytes, ...]:
        """Return what a copy reads, its list of rows included, and last what it writes."""
        listed = () if copy.index is None else (cls(copy.index.first.region, copy.index_offsets),)
        return (*listed, cls.of_copy(copy, copy.source), cls.of_copy(copy, copy.destination))

    def within(self, sizes: Mapping[int, int]) -> Bytes | None:
        """Return the bytes inside their region.

        sizes: bytes of each writable region. None means that the region holds constants. Bytes
        outside a region are left out: such an access is a bus fault.
        """
        if self.region not in sizes:
            return None
        inside = (self.offsets >= 0) & (self.offsets < sizes[self.region])
        return self if inside.all() else Bytes(self.region, self.offsets[inside])

    def __str__(self) -> str:
        place = "the table memory" if self.region == INTERNAL else f"region {self.region}"
        return f"{self.offsets.size} bytes of {place} from {int(self.offsets.min()):#x}"


class Kernel:
    """The memory that one kernel accesses.

    maps: the inputs that are feature maps. streams: weights, scales and a table.
    spoils: internal memory that the kernel may overwrite during its run.
    """

    def __init__(self, operation: Operation, configuration: Configuration) -> None:
        assert operation.ifm is not None and operation.ofm is not None
        self.operation = operation
        self._ifm, self._ofm = operation.ifm, operation.ofm
        self._blocks = _Blocks(operation)
        table = list(_table(operation, configuration))
        self.maps = self._inputs(self._ofm.whole, 0, self._ifm.shape[2])
        self.streams = [*map(Bytes.of, (*operation.weights, *operation.scales)), *table]
        self.writes = _elements(self._ofm, self._ofm.whole)
        self.spoils = _spoiled(configuration, has_table=bool(table))

    @property
    def at(self) -> int:
        return self.operation.at

    @property
    def name(self) -> str:
        return self.operation.kind.value

    def computed_from(self, chosen: Callable[[Bytes], NDArray[np.bool_]]) -> Offsets:
        """Return the output bytes that depend on the input bytes that `chosen` selects.

        The function goes through the output pixel by pixel. Only streams that read unknown bytes
        need this function.
        """
        found = [np.zeros(0, np.int64)]
        height, width, depth = self._ofm.shape
        for y in range(height):
            for x in range(width):
                pixel = Box(y, y + 1, x, x + 1, 0, depth)
                channels = np.zeros(depth, np.bool_)
                for operand, box in self.operation.input_boxes(pixel, 0, self._ifm.shape[2]):
                    item = operand.map.dtype.itemsize
                    bytes_of_channels = chosen(_elements(operand, box)).reshape(-1, box.last - box.first, item)
                    read = bytes_of_channels.any(axis=(0, 2))
                    channels |= read.any() if self.operation.crosses_depth else read
                written = self._ofm.offsets(pixel).reshape(depth, -1)
                found.append(written[channels].reshape(-1))
        return np.concatenate(found)

    def late_writes(self, count: int) -> Bytes:
        """Return the bytes that the last `count` blocks write."""
        blocks = [block for block in (self._blocks.box(-1 - index) for index in range(count)) if block is not None]
        return Bytes(self._ofm.map.region, np.concatenate([self._ofm.offsets(block) for block in blocks]))

    def job(self, number: int) -> list[Bytes] | None:
        """Return the bytes that job `number` reads when it starts, None if there are fewer jobs.

        A job computes a block of the output from a slice of the input's channels.
        """
        if not self.operation.crosses_depth:
            block = self._blocks.box(number)
            return None if block is None else self._inputs(block, block.first, block.last)
        kernel, in_depth = self.operation.kernel, self._ifm.shape[2]
        part_kernel_first = kernel is not None and kernel.part_kernel_first
        slice_depth = min(in_depth, 16 if part_kernel_first else 32 // self._ifm.map.dtype.itemsize)
        slices = -(-in_depth // slice_depth)
        block = self._blocks.box(number // slices)
        if block is None:
            return None
        first = number % slices * slice_depth
        return self._inputs(block, first, min(first + slice_depth, in_depth))

    def _inputs(self, box: Box, first: int, last: int) -> list[Bytes]:
        """Return the inputs of a box of the output, channels `first` to `last`."""
        return [_elements(operand, part) for operand, part in self.operation.input_boxes(box, first, last)]


class _Blocks:
    """The blocks of a kernel's output. Hardware writes the blocks in the order depth, width,
    height."""

    def __init__(self, operation: Operation) -> None:
        assert operation.ofm is not None
        self._shape, self._block = operation.ofm.shape, operation.block

    def box(self, index: int) -> Box | None:
        """Return block `index`, None if there is none. Negative indices count from the end."""
        (height, width, depth), (tall, wide, deep) = self._shape, self._block
        rows, columns, layers = -(-height // tall), -(-width // wide), -(-depth // deep)
        index = index if index >= 0 else rows * columns * layers + index
        if not 0 <= index < rows * columns * layers:
            return None
        first, left = index % layers * deep, index // layers % columns * wide
        top = index // (layers * columns) * tall
        return Box(top, min(top + tall, height), left, min(left + wide, width), first, min(first + deep, depth))


def _elements(operand: Operand, box: Box) -> Bytes:
    return Bytes(operand.map.region, operand.offsets(box))


def _table(operation: Operation, configuration: Configuration) -> Iterator[Bytes]:
    table = operation.table
    if table is not None:
        start = configuration.lut_offset + table.start
        yield Bytes(INTERNAL, start + np.arange(table.size_bytes))


def _spoiled(configuration: Configuration, *, has_table: bool) -> Bytes:
    shared = configuration.shram_kib == _SHARED_SHRAM_KIB and not has_table
    size_bytes = configuration.shram_kib * 1024
    return Bytes(INTERNAL, np.arange(configuration.lut_offset, size_bytes if shared else 0))
