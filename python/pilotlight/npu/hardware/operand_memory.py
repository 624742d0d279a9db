# SPDX-License-Identifier: Apache-2.0
"""Finds the operands of an operation in memory, and counts the bytes that the operation moves.

All places are found when the operation is planned. A run then reads and writes through views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.parallel import Cores
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import BoundMap, FeatureMap, access
from pilotlight.npu.stream.isa import Upscale
from pilotlight.npu.stream.kernel import upscale
from pilotlight.npu.stream.memory import Bytes, Memory
from pilotlight.npu.stream.operations import INTERNAL, TABLE_SLOT_BYTES, Operand, Operation, Range, Table


@dataclass(frozen=True)
class Machine:
    """What operations work on.

    memory: the memory behind the bus. shram: the NPU's internal memory.
    """

    configuration: Configuration
    memory: Memory
    shram: Bytes
    weights: WeightCache
    cores: Cores


@dataclass(frozen=True)
class PlacedOperand:
    """A feature map and its place in memory."""

    where: FeatureMap
    bound: BoundMap

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
        region = operand.map.region
        where = replace(operand.map, region_base=self._bases[region])
        bound = where.bind(self.machine.memory, operand.shape, writable=written)
        _count(self.written_bytes if written else self.read_bytes, region, bound.nbytes)
        return PlacedOperand(where, bound)

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

    def streams(self, streams: tuple[Range, ...], channel: Channel, channels: int) -> tuple[Bytes, ...]:
        """Find the weight or scale streams, one per core. A core without channels gets no bytes."""
        found: list[Bytes] = []
        for core, stream in enumerate(streams):
            if self.is_idle(core, channels) or not stream.size:
                found.append(np.empty(0, np.uint8))
            else:
                found.append(self._read(stream, channel))
        return tuple(found)

    def is_idle(self, core: int, channels: int) -> bool:
        """Tell whether a core has no channels.

        Such a core reads no stream. The registers of such a core may still hold values of an
        earlier program.
        """
        return core >= channels

    def table(self, place: Table) -> Bytes:
        """Find an activation table in internal memory."""
        data = self.machine.shram[self.machine.configuration.lut_offset :][place.slot * TABLE_SLOT_BYTES :]
        if place.size_bytes > len(data):
            raise MalformedStream(f"activation table {place.slot} of {place.size_bytes} bytes exceeds the table memory")
        return data[: place.size_bytes]

    def copy_source(self, source: Range) -> Bytes:
        return self._read(source, Channel.MEM2MEM_READ)

    def copy_destination(self, target: Range) -> Bytes:
        """Find the destination of a copy. A destination in internal memory is a byte offset in
        SHRAM."""
        shram = self.machine.shram
        if target.region == INTERNAL:
            if target.start + target.size > len(shram):
                raise MalformedStream(f"a copy of {target.size} bytes to {target.start:#x} exceeds the internal memory")
            return shram[target.start : target.start + target.size]
        address, channel = self._bases[target.region] + target.start, Channel.MEM2MEM_WRITE
        found = access(self.machine.memory, address, target.size, channel, target.region, writable=True)
        _count(self.written_bytes, target.region, target.size)
        return found

    def _read(self, place: Range, channel: Channel) -> Bytes:
        address = self._bases[place.region] + place.start
        found = access(self.machine.memory, address, place.size, channel, place.region)
        _count(self.read_bytes, place.region, place.size)
        return found


def _count(counter: dict[int, int], region: int, size_bytes: int) -> None:
    counter[region] = counter.get(region, 0) + size_bytes
