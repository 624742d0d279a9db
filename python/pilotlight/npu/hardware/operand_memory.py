# SPDX-License-Identifier: Apache-2.0
"""Finds the operands of an operation in memory, and counts the bytes that the operation moves.

All places are found when the operation is planned. A run then reads and writes through views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.parallel import Cores
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import MAX_ELEMENTS, FeatureMap, OutputMap, ReorderedMap, access
from pilotlight.npu.stream.isa import Upscale
from pilotlight.npu.stream.kernel import upscale
from pilotlight.npu.stream.memory import Bytes, Memory
from pilotlight.npu.stream.operations import (
    CHAINS,
    INTERNAL,
    Copy,
    CopyEnd,
    CopyIndex,
    Operand,
    Operation,
    Range,
    Table,
)


@dataclass
class KeptAccumulators:
    """What an operation kept. values: height x width x channels, None if nothing is kept."""

    values: NDArray[Any] | None = None


@dataclass
class ResultFlag:
    """Whether the last result of the last comparison is true."""

    value: bool = False


@dataclass(frozen=True)
class Machine:
    """What operations work on.

    memory: the memory behind the bus. shram: the NPU's internal memory.
    kept: the accumulators that an operation kept.
    flag: for conditional branches.
    chains: the buffers of chained maps, by number and size in bytes. An operation that was planned
        keeps its views of a buffer, so buffers do not grow.
    written_chains: size of the map that was last written to each buffer.
    strict: whether operations of which silicon or Arm's model gives another result are faults.
    """

    configuration: Configuration
    memory: Memory
    shram: Bytes
    weights: WeightCache
    cores: Cores
    kept: KeptAccumulators = field(default_factory=KeptAccumulators)
    flag: ResultFlag = field(default_factory=ResultFlag)
    chains: dict[tuple[int, int], Bytes] = field(default_factory=dict)
    written_chains: dict[int, int] = field(default_factory=dict)
    strict: bool = True


@dataclass(frozen=True)
class PlacedOperand:
    """A feature map and its place in memory."""

    where: FeatureMap
    bound: OutputMap

    @property
    def is_eight_bit(self) -> bool:
        return self.where.dtype.itemsize == 1

    @property
    def every_value(self) -> NDArray[np.int64]:
        return every_value(self.where.dtype, self.where.zero_point)

    def read(self) -> NDArray[np.int64]:
        """Return the elements minus the zero point."""
        return np.subtract(self.bound.read(), self.where.zero_point, dtype=np.int64)


def every_value(dtype: np.dtype[Any], zero_point: int) -> NDArray[np.int64]:
    """Return all values of an 8-bit element minus the zero point, ordered by the stored byte."""
    stored = np.arange(256, dtype=np.uint8).view(dtype)
    return stored.astype(np.int64) - zero_point


class OperandMemory:
    """The memory of one operation.

    bases: the address of each region. read_bytes, written_bytes: by region, counted as operands
    are found.
    """

    def __init__(self, machine: Machine, bases: tuple[int, ...]) -> None:
        self.machine = machine
        self.read_bytes: dict[int, int] = {}
        self.written_bytes: dict[int, int] = {}
        self._bases = bases

    def place(self, operand: Operand, *, written: bool = False) -> PlacedOperand:
        """Find a feature map. Raises BusAbort where there is no memory."""
        if operand.is_chained:
            return self._place_chained(operand, written=written)
        region = operand.map.region
        where = replace(operand.map, region_base=self._bases[region])
        bound = where.bind(self.machine.memory, operand.stored_shape, writable=written)
        _count(self.written_bytes if written else self.read_bytes, region, bound.nbytes)
        if operand.is_reordered:
            return PlacedOperand(where, ReorderedMap(bound, operand.shape, operand.order, operand.flipped))
        return PlacedOperand(where, bound)

    def target(self, operation: Operation) -> OutputMap:
        """Find the output of an operation."""
        assert operation.ofm is not None
        return self.place(operation.ofm, written=True).bound

    def _place_chained(self, operand: Operand, *, written: bool) -> PlacedOperand:
        number, size_bytes = operand.map.region, prod(operand.shape) * operand.map.dtype.itemsize
        sizes = self.machine.written_chains
        if written:
            sizes[number] = size_bytes
        elif sizes.get(number) != size_bytes:
            raise MalformedStream(
                f"chain buffer {number - CHAINS} holds {sizes.get(number, 0)} bytes, and {size_bytes} are read"
            )
        if size_bytes > MAX_ELEMENTS:
            raise MalformedStream(f"a chained map of {size_bytes} bytes is beyond this simulator")
        buffer = self.machine.chains.setdefault((number, size_bytes), np.zeros(size_bytes, np.uint8))
        return PlacedOperand(operand.map, operand.map.bind(_Buffer(buffer), operand.shape, writable=written))

    def upscaled_input(self, operation: Operation) -> tuple[PlacedOperand, Callable[[], NDArray[Any]]]:
        """Find the IFM of an operation with a kernel.

        Returns the operand, and a function that reads its stored elements at the upscaled size,
        with the zero point.
        """
        assert operation.ifm is not None
        source, mode = self.place(operation.ifm), operation.upscale
        if mode is Upscale.NONE:
            return source, source.bound.read
        (height, width), zero_point = operation.upscaled_size, source.where.zero_point
        return source, lambda: upscale(source.bound.read(), mode, height, width, zero_point)

    def streams(self, streams: tuple[Range, ...], channel: Channel, active_cores: int) -> tuple[Bytes, ...]:
        """Find the weight or scale streams, one per core. A core without channels gets no bytes."""
        found: list[Bytes] = []
        for core, stream in enumerate(streams):
            if self.is_idle(core, active_cores) or not stream.size:
                found.append(np.empty(0, np.uint8))
            else:
                found.append(self._read(stream, channel))
        return tuple(found)

    def is_idle(self, core: int, active_cores: int) -> bool:
        """Tell whether a core has no channels.

        Such a core reads no stream. The registers of such a core may still hold values of an
        earlier program.
        """
        return core >= active_cores

    def table(self, place: Table) -> Bytes:
        """Find an activation table in internal memory."""
        data = self.machine.shram[self.machine.configuration.lut_offset :][place.start :]
        if place.size_bytes > len(data):
            raise MalformedStream(
                f"an activation table of {place.size_bytes} bytes at {place.start} exceeds the table memory"
            )
        return data[: place.size_bytes]

    def copy_end(self, copy: Copy, end: CopyEnd, channel: Channel) -> NDArray[np.uint8]:
        """Find the pieces at one end of a copy: [planes, rows, bytes of a piece].

        Of an end with an index, these are all rows that the index can select. An end in internal
        memory is a byte offset in it.
        """
        indexed = copy.index is not None and (end is copy.source) == copy.index.of_source
        rows = copy.index.largest + 1 if copy.index is not None and indexed else copy.rows
        shape, strides = (copy.planes, rows, end.piece.size), (end.plane_stride, end.row_stride, 1)
        reaches = [(count - 1) * stride for count, stride in zip(shape, strides, strict=True)]
        lowest = end.piece.start + sum(min(0, reach) for reach in reaches)
        span = Range(end.piece.region, lowest, 1 + sum(map(abs, reaches)))
        data = self._written(span, channel) if channel is Channel.MEM2MEM_WRITE else self._read(span, channel)
        return np.ndarray(shape, np.uint8, data, end.piece.start - lowest, strides)

    def copy_index(self, copy: Copy, index: CopyIndex) -> NDArray[np.int32]:
        """Find the list of row numbers of a copy: [planes, rows]."""
        item = index.first.size
        plane_stride = copy.rows * item + index.plane_gap
        reach = (copy.planes - 1) * plane_stride
        start = index.first.start + min(0, reach)
        data = self._read(Range(index.first.region, start, abs(reach) + copy.rows * item), Channel.MEM2MEM_READ)
        strides = (plane_stride, item)
        return np.ndarray((copy.planes, copy.rows), "<i4", data, index.first.start - start, strides)

    def _written(self, target: Range, channel: Channel) -> Bytes:
        shram = self.machine.shram
        if target.region == INTERNAL:
            if not 0 <= target.start <= target.start + target.size <= len(shram):
                raise MalformedStream(f"a copy of {target.size} bytes to {target.start:#x} exceeds the internal memory")
            return shram[target.start : target.start + target.size]
        address = self._bases[target.region] + target.start
        found = access(self.machine.memory, address, target.size, channel, target.region, writable=True)
        _count(self.written_bytes, target.region, target.size)
        return found

    def _read(self, place: Range, channel: Channel) -> Bytes:
        address = self._bases[place.region] + place.start
        found = access(self.machine.memory, address, place.size, channel, place.region)
        _count(self.read_bytes, place.region, place.size)
        return found


@dataclass(frozen=True)
class _Buffer:
    """A buffer inside the NPU, as a memory from address 0 on."""

    content: Bytes

    def view(self, address: int, size_bytes: int, *, writable: bool) -> Bytes:
        return self.content[address : address + size_bytes]


def contents(streams: tuple[Bytes, ...]) -> tuple[bytes, ...]:
    """Return the present bytes of streams."""
    return tuple(stream.tobytes() for stream in streams)


def _count(counter: dict[int, int], region: int, size_bytes: int) -> None:
    counter[region] = counter.get(region, 0) + size_bytes
