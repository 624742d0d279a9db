# SPDX-License-Identifier: Apache-2.0
"""Finds the bytes that operations read and write. Operations other than copies are kernels.

U85 passes feature maps through chain buffers, and sums through accumulators that are kept for the
next kernel. Both count as memories beside the regions, with the number of `operations.CHAINS` or
ACCUMULATORS. An accumulator counts as one byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.analysis.blocks import input_block_depth
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.feature_map import Box, Shape
from pilotlight.npu.stream.kernel import Kernel as Sliding
from pilotlight.npu.stream.operations import (
    INTERNAL,
    Copy,
    CopyEnd,
    Operand,
    Operation,
    Range,
    SecondInput,
    memory_name,
)

Offsets = NDArray[np.int64]

# The number of the accumulators as a memory.
ACCUMULATORS = INTERNAL + 1

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
        place = "the accumulators" if self.region == ACCUMULATORS else memory_name(self.region)
        place = f"the {place}" if self.region == INTERNAL else place
        return f"{self.offsets.size} bytes of {place} from {int(self.offsets.min()):#x}"


class Kernel:
    """The memory that one kernel accesses.

    maps: the inputs that are feature maps, and accumulators that the previous kernel kept.
    streams: weights, scales and a table.
    spoils: internal memory that the kernel may overwrite during its run.
    """

    def __init__(self, operation: Operation, configuration: Configuration) -> None:
        assert operation.ifm is not None and operation.ofm is not None
        self.operation = operation
        self._configuration = configuration
        self._ifm, self._ofm = operation.ifm, operation.ofm
        self._blocks = _Blocks(operation)
        table = list(_table(operation, configuration))
        self.maps = self._inputs(self._ofm.whole, 0, self._ifm.shape[2])
        if operation.continues:
            self.maps.append(self._accumulators(self._ofm.whole))
        self.streams = [*map(Bytes.of, (*operation.weights, *operation.scales)), *table]
        self.writes = self._outputs(self._ofm.whole)
        self.spoils = _spoiled(configuration, has_table=bool(table))

    @property
    def at(self) -> int:
        return self.operation.at

    @property
    def name(self) -> str:
        return self.operation.kind.value

    @property
    def in_chain(self) -> bool:
        """Whether an input comes through a chain buffer, from a kernel that runs in parallel."""
        return any(operand.is_chained for operand in self.operation.inputs)

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
                    bytes_of_places = chosen(_elements(operand, box)).reshape(-1, box.last - box.first, item)
                    channels |= self._reached(operand, bytes_of_places.any(axis=2))
                if self.operation.continues:
                    channels |= chosen(self._accumulators(pixel))
                written = self._outputs(pixel).offsets.reshape(depth, -1)
                if self._ofm.flipped is not None and self._ofm.order[self._ofm.flipped] == 2:
                    written = written[::-1]
                found.append(written[channels].reshape(-1))
        return np.concatenate(found)

    def _reached(self, operand: Operand, read: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the output channels of a pixel that depend on chosen elements of an input.

        read: which elements are chosen, as [places, channels].
        """
        if operand is not self._ifm and self.operation.second is SecondInput.WEIGHTS:
            found: NDArray[np.bool_] = read.any(axis=1)
        elif operand is self._ifm and self.operation.crosses_depth:
            found = read.any(keepdims=True).reshape(1)
        else:
            found = read.any(axis=0)
        return found

    def late_writes(self, count: int) -> Bytes:
        """Return the bytes that the last `count` blocks write."""
        blocks = [block for block in (self._blocks.box(-1 - index) for index in range(count)) if block is not None]
        written = [self._outputs(block) for block in blocks]
        return Bytes(written[0].region, np.concatenate([part.offsets for part in written]))

    def job(self, number: int) -> list[Bytes] | None:
        """Return the bytes that job `number` reads when it starts, None if there are fewer jobs.

        A job computes a block of the output from a slice of the input's channels.
        """
        if not self.operation.crosses_depth:
            block = self._blocks.box(number)
            return None if block is None else self._inputs_of_job(block, block.first, block.last)
        in_depth = self._ifm.shape[2]
        slice_depth = min(in_depth, input_block_depth(self.operation, self._configuration))
        slices = -(-in_depth // slice_depth)
        block = self._blocks.box(number // slices)
        if block is None:
            return None
        first = number % slices * slice_depth
        return self._inputs_of_job(block, first, min(first + slice_depth, in_depth))

    def _inputs_of_job(self, block: Box, first: int, last: int) -> list[Bytes]:
        """Return the inputs of a block of the output, up to where Vela takes them to end.

        Vela takes the inputs of blocks to lie side by side. So it overlooks some rows and columns
        if the stride is larger than the kernel. Whether hardware reads these so early is not known.
        """
        boxes = self.operation.input_boxes(block, first, last)
        kernel = self.operation.kernel
        if kernel is not None:
            bottom, right = self._blocks.inputs_end(block, kernel)
            (ifm, box), *others = boxes
            box = replace(box, bottom=min(box.bottom, bottom), right=min(box.right, right))
            boxes = ((ifm, box), *others)
        return [_elements(operand, part) for operand, part in boxes]

    def _inputs(self, box: Box, first: int, last: int) -> list[Bytes]:
        """Return the inputs of a box of the output, channels `first` to `last`."""
        return [_elements(operand, part) for operand, part in self.operation.input_boxes(box, first, last)]

    def _outputs(self, box: Box) -> Bytes:
        """Return what a box of the output writes: memory, or accumulators for the next kernel."""
        return self._accumulators(box) if self.operation.keeps else _elements(self._ofm, box)

    def _accumulators(self, box: Box) -> Bytes:
        return Bytes(ACCUMULATORS, _positions(self._ofm.shape, box))


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

    def inputs_end(self, block: Box, kernel: Sliding) -> tuple[int, int]:
        """Return the row and column of the input that follow a block's input in Vela's reckoning.

        Vela leaves out padding and upscaling, with which inputs end earlier.
        """
        tall, wide, _ = self._block
        rows = (tall - 1) * kernel.stride_y + (kernel.height - 1) * kernel.dilation_y + 1
        columns = (wide - 1) * kernel.stride_x + (kernel.width - 1) * kernel.dilation_x + 1
        return (block.top // tall + 1) * rows, (block.left // wide + 1) * columns


def _positions(shape: Shape, box: Box) -> Offsets:
    """Return the numbers of the elements of a box, in a dense array of the given shape."""
    y, x, channel = (np.arange(start, end) for start, end in box.spans)
    found: Offsets = (y[:, None, None] * shape[1] + x[:, None]) * shape[2] + channel
    return found.reshape(-1)


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
