# SPDX-License-Identifier: Apache-2.0
"""Finds what a command stream leaves to luck: outputs computed from memory that nobody wrote, outputs
whose elements overlap, and waits that are missing.

The NPU runs DMA beside kernels, and the end of a kernel beside the begin of the next; the simulator runs everything
in order, so a stream with a wait too few computes the right answer here and a wrong one on silicon now and then. This
module never looks at data: it follows the stream and keeps, for each byte, which DMA and which kernel touched it last.

Vela rounds copies up to 16 bytes, so a stream may move bytes that nobody wrote. That is harmless. Such
bytes, and what kernels compute from them, are unknown. A hazard is an unknown byte in an output, or
among weights, scales or a table.

    DMA_WAIT k      at most k DMAs are outstanding afterwards; KERNEL_WAIT the same for kernels
    BLOCKDEP b      while the j-th job of a kernel starts (counted from 0), the last b - j blocks of the kernel before
                    may not be written yet; the kernel before that one is done

A kernel may overwrite what the one before reads or writes: jobs go through the pipeline in order. On the NPUs with 16
KiB of internal memory, a kernel without a table may put its accumulators where tables lie.

Inferred from Vela, not documented: the order of blocks (depth, width, height), and how many operations can be
outstanding when nothing waits for them (`Product.dma_queue`, `Product.kernel_queue`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.command_state import CommandState, Step, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.feature_map import Box
from pilotlight.npu.stream.operation_decoder import is_operation, operation_at
from pilotlight.npu.stream.operations import INTERNAL, TABLE_SLOT_BYTES, Copy, Operand, Operation

Offsets = NDArray[np.int64]

_SHARED_SHRAM_KIB = 16
_READS_UNKNOWN = "reads what nothing wrote before:"


@dataclass(frozen=True)
class Hazard:
    """at: word index of the command that may come too early."""

    at: int
    command: str
    message: str

    def __str__(self) -> str:
        return f"word {self.at}: {self.command} {self.message}"


@dataclass(frozen=True)
class Extent:
    region: int
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class _Bytes:
    region: int
    offsets: Offsets


@dataclass(frozen=True)
class _Kernel:
    """A kernel as far as its memory goes.

    maps: the inputs that are data. streams: weights, scales and a table.
    computed_from: what it computes from those of its inputs' bytes for which a function says so.
    spoils: internal memory that it may write while it runs. late_writes: what its last n blocks write.
    job: what it reads at the start of job j, or None when it has fewer.
    """

    operation: Operation
    maps: list[_Bytes]
    streams: list[_Bytes]
    writes: _Bytes
    computed_from: Callable[[Callable[[_Bytes], NDArray[np.bool_]]], Offsets]
    spoils: _Bytes
    late_writes: Callable[[int], _Bytes]
    job: Callable[[int], list[_Bytes] | None]

    @property
    def at(self) -> int:
        return self.operation.at

    @property
    def name(self) -> str:
        return self.operation.kind.value


def find_hazards(
    stream: bytes,
    configuration: Configuration,
    writable: Mapping[int, int],
    inputs: Iterable[Extent],
    outputs: Iterable[Extent],
) -> list[Hazard]:
    """Follow a stream up to OP_STOP.

    writable: size of each region that the stream may write; the others hold constants. inputs: what is written
    before the stream starts; outputs: what is read after it. A stream that does not decode, or leaves its regions,
    is not reported here: running it does.
    """
    sizes = dict(writable) | {INTERNAL: configuration.shram_kib * 1024}
    follower = _Follower(configuration, {region: _Region(size) for region, size in sizes.items()})
    for extent in inputs:
        if extent.region in follower.regions:
            follower.regions[extent.region].known[extent.offset : extent.offset + extent.size_bytes] = True
    for step in steps_of(stream, configuration.product, CommandState()):
        if isinstance(step.command, MalformedStream):
            break
        if step.name == "OP_STOP":
            follower.stop(step.command.at, outputs)
            break
        try:
            follower.accept(step)
        except MalformedStream:
            break
    return sorted(follower.hazards, key=lambda hazard: hazard.at)


class _Region:
    """What each byte of a region went through. Numbers count DMAs and kernels from 1; 0 is never.

    spoilt_by: of a byte that a kernel computed from unknown ones, the number of the first such kernel.
    """

    def __init__(self, size_bytes: int) -> None:
        self.known = np.zeros(size_bytes, np.bool_)
        self.spoilt_by = np.zeros(size_bytes, np.int32)
        self.dma_wrote, self.dma_read, self.kernel_wrote, self.kernel_read = (
            np.zeros(size_bytes, np.int32) for _ in range(4)
        )


class _Queue:
    """Operations of one kind: the first `done` have certainly ended."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.places: list[int] = []
        self.done = 0

    def wait(self, outstanding: int) -> None:
        self.done = max(self.done, len(self.places) - outstanding)

    def issue(self, at: int) -> int:
        """Return the number of the new operation. It starts once there is room in the queue."""
        self.places.append(at)
        self.wait(self._length)
        return len(self.places)


class _Follower:
    def __init__(self, configuration: Configuration, regions: dict[int, _Region]) -> None:
        self._configuration = configuration
        self.regions = regions
        self.hazards: list[Hazard] = []
        product = configuration.product
        self._dmas, self._kernels = _Queue(product.dma_queue), _Queue(product.kernel_queue)
        self._before: _Kernel | None = None
        self._reads_unknown: dict[int, Hazard] = {}

    def accept(self, step: Step) -> None:
        if step.name == "OP_DMA_WAIT":
            self._dmas.wait(step.fields["outstanding"])
        elif step.name == "OP_KERNEL_WAIT":
            self._kernels.wait(step.fields["outstanding"])
        elif is_operation(step):
            operation = operation_at(step, self._configuration)
            if operation.copy is not None:
                self._dma(operation.at, operation.copy)
            else:
                self._kernel(_Accesses(operation, self._configuration).kernel())

    def stop(self, at: int, outputs: Iterable[Extent]) -> None:
        for extent in outputs:
            region = self.regions.get(extent.region)
            if region is not None:
                offsets = np.arange(extent.offset, extent.offset + extent.size_bytes)
                unknown = offsets[~region.known[offsets]]
                spoilt_by = region.spoilt_by[unknown]
                for kernel in np.unique(spoilt_by[spoilt_by > 0]):
                    self.hazards.append(self._reads_unknown[int(kernel)])
                unwritten = _Bytes(extent.region, unknown[spoilt_by == 0])
                self._unknown(at, "OP_STOP", unwritten, "leaves an output unwritten:")

    # -- operations -----------------------------------------------------------------------------------------------

    def _dma(self, at: int, copy: Copy) -> None:
        number = self._dmas.issue(at)
        length = copy.source.size
        source, target = (
            self._within(_Bytes(end.region, end.start + np.arange(length))) for end in (copy.source, copy.destination)
        )
        # Constants are known. A copy that leaves its region does not end: the bus faults.
        known, spoilt_by = np.ones(length, np.bool_), np.zeros(length, np.int32)
        if source is not None:
            region = self.regions[source.region]
            if source.offsets.size == length:
                known, spoilt_by = region.known[source.offsets], region.spoilt_by[source.offsets]
            self._clash(at, "DMA", source, region.kernel_wrote, self._kernels, "reads", "writes")
            region.dma_read[source.offsets] = number
        if target is not None:
            region = self.regions[target.region]
            self._clash(at, "DMA", target, region.kernel_wrote, self._kernels, "overwrites", "writes")
            self._clash(at, "DMA", target, region.kernel_read, self._kernels, "overwrites", "reads")
            region.dma_wrote[target.offsets] = number
            if target.offsets.size == length:
                region.known[target.offsets], region.spoilt_by[target.offsets] = known, spoilt_by

    def _kernel(self, kernel: _Kernel) -> None:
        number = self._kernels.issue(kernel.at)
        unknown, spoilt_by = self._spoilt_output(kernel, number)
        for inside in filter(None, map(self._within, kernel.streams)):
            self._unknown(kernel.at, kernel.name, inside, _READS_UNKNOWN)
        for inside in filter(None, map(self._within, (*kernel.maps, *kernel.streams))):
            region = self.regions[inside.region]
            self._clash(
                kernel.at,
                kernel.name,
                inside,
                region.dma_wrote,
                self._dmas,
                "reads",
                "writes",
            )
            region.kernel_read[inside.offsets] = number
        target = self._within(kernel.writes)
        if target is not None:
            region = self.regions[target.region]
            self._clash(
                kernel.at,
                kernel.name,
                target,
                region.dma_wrote,
                self._dmas,
                "overwrites",
                "writes",
            )
            self._clash(
                kernel.at,
                kernel.name,
                target,
                region.dma_read,
                self._dmas,
                "overwrites",
                "reads",
            )
            region.kernel_wrote[target.offsets] = number
            region.known[target.offsets] = True
            unknown = unknown[(unknown >= 0) & (unknown < len(region.known))]
            region.known[unknown], region.spoilt_by[unknown] = False, spoilt_by
            self._collisions(kernel, target, region, number)
        spoilt = self.regions[kernel.spoils.region]
        self._clash(
            kernel.at,
            kernel.name,
            kernel.spoils,
            spoilt.dma_wrote,
            self._dmas,
            "overwrites",
            "writes",
        )
        spoilt.kernel_wrote[kernel.spoils.offsets] = number
        if self._before is not None and self._kernels.done < number - 1:
            self._overlap(self._before, kernel)
        self._before = kernel

    def _overlap(self, before: _Kernel, kernel: _Kernel) -> None:
        blockdep = kernel.operation.blockdep
        for number in range(blockdep):
            reads = kernel.job(number)
            if reads is None:
                return
            late = before.late_writes(blockdep - number)
            for access in reads:
                if access.region == late.region:
                    common = np.intersect1d(access.offsets, late.offsets)
                    if common.size:
                        self._report(
                            kernel.at,
                            kernel.name,
                            f"has BLOCKDEP {blockdep}, so its job {number} may read {_where(late.region, common)} "
                            f"before {before.name} at word {before.at} wrote it",
                        )
                        return

    def _spoilt_output(self, kernel: _Kernel, number: int) -> tuple[Offsets, int]:
        """Return what `kernel` computes from unknown bytes, and the kernel that was the first to do so."""
        unknown = [access for access in map(self._within, kernel.maps) if access is not None]
        unknown = [_Bytes(access.region, access.offsets[self._is_unknown(access)]) for access in unknown]
        unknown = [access for access in unknown if access.offsets.size]
        if not unknown:
            return np.zeros(0, np.int64), 0
        earlier = int(max(self.regions[access.region].spoilt_by[access.offsets].max() for access in unknown))
        if not earlier:
            message = f"{_READS_UNKNOWN} {_where(unknown[0].region, unknown[0].offsets)}"
            self._reads_unknown[number] = Hazard(kernel.at, kernel.name, message)
        return kernel.computed_from(self._is_unknown), earlier or number

    def _is_unknown(self, access: _Bytes) -> NDArray[np.bool_]:
        """Tell of each byte whether it is unknown. Constants are known; outside of a region the bus faults."""
        region = self.regions.get(access.region)
        if region is None:
            return np.zeros(access.offsets.shape, np.bool_)
        inside = (access.offsets >= 0) & (access.offsets < len(region.known))
        found: NDArray[np.bool_] = inside & ~region.known[np.where(inside, access.offsets, 0)]
        return found

    # -- checks -----------------------------------------------------------------------------------------------------

    def _within(self, access: _Bytes) -> _Bytes | None:
        """Leave out constants, and what lies outside of a region: the bus faults there."""
        region = self.regions.get(access.region)
        if region is None:
            return None
        inside = (access.offsets >= 0) & (access.offsets < len(region.known))
        return access if inside.all() else _Bytes(access.region, access.offsets[inside])

    def _collisions(self, kernel: _Kernel, target: _Bytes, region: _Region, number: int) -> None:
        """A map that writes a byte for two of its elements is none that a compiler meant."""
        if target.offsets.size:
            span = region.kernel_wrote[target.offsets.min() : target.offsets.max() + 1]
            twice = target.offsets.size - np.count_nonzero(span == number)
            if twice:
                where = _where(target.region, target.offsets)
                self._report(
                    kernel.at,
                    kernel.name,
                    f"writes {where}, {twice} of them for two elements of its output",
                )

    def _unknown(self, at: int, name: str, access: _Bytes, problem: str) -> None:
        unknown = access.offsets[~self.regions[access.region].known[access.offsets]]
        if unknown.size:
            self._report(at, name, f"{problem} {_where(access.region, unknown)}")

    def _clash(
        self, at: int, name: str, access: _Bytes, last: NDArray[np.int32], queue: _Queue, does: str, other: str
    ) -> None:
        numbers = last[access.offsets]
        late = numbers > queue.done
        if late.any():
            place = queue.places[int(numbers.max()) - 1]
            kind, wait = ("DMA", "DMA_WAIT") if queue is self._dmas else ("kernel", "KERNEL_WAIT")
            where = _where(access.region, access.offsets[late])
            self._report(at, name, f"{does} {where}, which the {kind} at word {place} still {other}: no {wait} between")

    def _report(self, at: int, name: str, message: str) -> None:
        self.hazards.append(Hazard(at, name, message))


def _where(region: int, offsets: Offsets) -> str:
    place = "the table memory" if region == INTERNAL else f"region {region}"
    return f"{offsets.size} bytes of {place} from {int(offsets.min()):#x}"


class _Blocks:
    """The output of a kernel, block by block, in the order in which hardware writes it: depth, width, height."""

    def __init__(self, operation: Operation) -> None:
        assert operation.ofm is not None
        self._shape, self._block = operation.ofm.shape, operation.block

    def box(self, index: int) -> Box | None:
        """Block `index`, from the end when negative. None when there are fewer."""
        (height, width, depth), (tall, wide, deep) = self._shape, self._block
        rows, columns, layers = -(-height // tall), -(-width // wide), -(-depth // deep)
        index = index if index >= 0 else rows * columns * layers + index
        if not 0 <= index < rows * columns * layers:
            return None
        first, left = index % layers * deep, index // layers % columns * wide
        top = index // (layers * columns) * tall
        return Box(top, min(top + tall, height), left, min(left + wide, width), first, min(first + deep, depth))


class _Accesses:
    """The memory that one kernel touches."""

    def __init__(self, operation: Operation, configuration: Configuration) -> None:
        assert operation.ifm is not None and operation.ofm is not None
        self._operation, self._configuration = operation, configuration
        self._ifm, self._ofm = operation.ifm, operation.ofm
        self._blocks = _Blocks(operation)

    def kernel(self) -> _Kernel:
        operation, table = self._operation, list(self._table())
        streams = [*operation.weights, *operation.scales]
        return _Kernel(
            operation=operation,
            maps=self._inputs(self._ofm.whole, 0, self._ifm.shape[2]),
            streams=[*(_Bytes(stream.region, stream.start + np.arange(stream.size)) for stream in streams), *table],
            writes=_elements(self._ofm, self._ofm.whole),
            computed_from=self._computed_from,
            spoils=self._spoils(table),
            late_writes=self._late_writes,
            job=self._job,
        )

    def _inputs(self, box: Box, first: int, last: int) -> list[_Bytes]:
        """What a box of the output is computed from."""
        return [_elements(operand, part) for operand, part in self._operation.input_boxes(box, first, last)]

    def _computed_from(self, chosen: Callable[[_Bytes], NDArray[np.bool_]]) -> Offsets:
        """Go through the pixels of the output: only streams that read unknown bytes come here."""
        found = [np.zeros(0, np.int64)]
        height, width, depth = self._ofm.shape
        for y in range(height):
            for x in range(width):
                pixel = Box(y, y + 1, x, x + 1, 0, depth)
                channels = np.zeros(depth, np.bool_)
                for operand, box in self._operation.input_boxes(pixel, 0, self._ifm.shape[2]):
                    item = operand.map.dtype.itemsize
                    bytes_of_channels = chosen(_elements(operand, box)).reshape(-1, box.last - box.first, item)
                    read = bytes_of_channels.any(axis=(0, 2))
                    channels |= read.any() if self._operation.crosses_depth else read
                written = self._ofm.map.offsets(pixel).reshape(depth, -1)
                found.append(written[channels].reshape(-1))
        return np.concatenate(found)

    def _late_writes(self, count: int) -> _Bytes:
        blocks = [block for block in (self._blocks.box(-1 - index) for index in range(count)) if block is not None]
        return _Bytes(self._ofm.map.region, np.concatenate([self._ofm.map.offsets(block) for block in blocks]))

    def _job(self, number: int) -> list[_Bytes] | None:
        """A job is a block of the output from a slice of the input's depth."""
        if not self._operation.crosses_depth:
            block = self._blocks.box(number)
            return None if block is None else self._inputs(block, block.first, block.last)
        kernel, in_depth = self._operation.kernel, self._ifm.shape[2]
        part_kernel_first = kernel is not None and kernel.part_kernel_first
        slice_depth = min(in_depth, 16 if part_kernel_first else 32 // self._ifm.map.dtype.itemsize)
        slices = -(-in_depth // slice_depth)
        block = self._blocks.box(number // slices)
        if block is None:
            return None
        first = number % slices * slice_depth
        return self._inputs(block, first, min(first + slice_depth, in_depth))

    def _spoils(self, table: list[_Bytes]) -> _Bytes:
        shared = self._configuration.shram_kib == _SHARED_SHRAM_KIB and not table
        size_bytes = self._configuration.shram_kib * 1024
        return _Bytes(INTERNAL, np.arange(self._configuration.lut_offset, size_bytes if shared else 0))

    def _table(self) -> Iterator[_Bytes]:
        table = self._operation.table
        if table is not None:
            start = self._configuration.lut_offset + table.slot * TABLE_SLOT_BYTES
            yield _Bytes(INTERNAL, start + np.arange(table.size_bytes))


def _elements(operand: Operand, box: Box) -> _Bytes:
    return _Bytes(operand.map.region, operand.map.offsets(box))
