# SPDX-License-Identifier: Apache-2.0
"""Finds hazards: streams whose result depends on timing, or on memory that no command wrote.

The NPU runs copies in parallel with kernels, and the end of a kernel in parallel with the start of
the next kernel. The simulator runs everything in order. So a stream with a missing wait gives the
right result here, but may give a wrong one on silicon. This check uses no data. It follows the
stream and records for each byte which operations accessed it last, and whether a command wrote it.

`waits.py` has the rules about waits, `unknown_bytes.py` follows memory that no command wrote, and
`accesses.py` finds the bytes that an operation reads and writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pilotlight.npu.analysis.accesses import ACCUMULATORS, Kernel
from pilotlight.npu.analysis.unknown_bytes import UnknownBytes
from pilotlight.npu.analysis.waits import Waits
from pilotlight.npu.stream.command_state import CommandState, Step, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.operation_decoder import is_operation, operation_at
from pilotlight.npu.stream.operations import INTERNAL, Operation


@dataclass(frozen=True)
class Hazard:
    """A command that may give a wrong result. at: its word index in the stream."""

    at: int
    command: str
    message: str

    def __str__(self) -> str:
        return f"word {self.at}: {self.command} {self.message}"


@dataclass(frozen=True)
class Extent:
    """Adjacent bytes of a region."""

    region: int
    offset: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


def find_hazards(
    stream: bytes,
    configuration: Configuration,
    writable: Mapping[int, int],
    inputs: Iterable[Extent],
    outputs: Iterable[Extent],
) -> list[Hazard]:
    """Follow a stream up to OP_STOP and return its hazards in the order of the commands.

    writable: size in bytes of each region that the stream may write; other regions hold constants.
    inputs: memory that is written before the stream starts.
    outputs: memory that is read after the stream.

    A stream that does not decode or leaves its regions is not reported here. The simulator reports
    such a stream when it runs.
    """
    hazards: list[Hazard] = []

    def report(at: int, command: str, message: str) -> None:
        hazards.append(Hazard(at, command, message))

    steps = steps_of(stream, configuration.product, CommandState())
    sizes = dict(writable) | {INTERNAL: configuration.shram_kib * 1024}
    unknown = UnknownBytes(sizes, report, passing=_passing(steps, configuration))
    waits = Waits(configuration.product, sizes, report)
    for extent in inputs:
        unknown.written(extent.region, extent.offset, extent.end)
    for step in steps:
        if isinstance(step.command, MalformedStream):
            break
        if step.name == "OP_STOP":
            for extent in outputs:
                unknown.output(step.command.at, extent.region, extent.offset, extent.end)
            break
        try:
            _follow(step, configuration, unknown, waits)
        except MalformedStream:
            break
    return sorted(hazards, key=lambda hazard: hazard.at)


def _passing(steps: Iterable[Step], configuration: Configuration) -> Mapping[int, int]:
    """Return the bytes that a stream uses of each chain buffer and of the accumulators."""
    sizes: dict[int, int] = {}
    for step in steps:
        try:
            operation = operation_at(step, configuration) if is_operation(step) else None
        except MalformedStream:
            break
        for number, size in _passed(operation) if operation is not None else ():
            sizes[number] = max(size, sizes.get(number, 0))
    return sizes


def _passed(operation: Operation) -> Iterator[tuple[int, int]]:
    """Yield (number of the memory, bytes) of what an operation gets or passes on inside the NPU."""
    operands = operation.inputs if operation.ofm is None else (*operation.inputs, operation.ofm)
    for operand in operands:
        if operand.is_chained:
            yield operand.map.region, operand.extent.size
    if operation.ofm is not None and (operation.keeps or operation.continues):
        yield ACCUMULATORS, math.prod(operation.ofm.shape)


def _follow(step: Step, configuration: Configuration, unknown: UnknownBytes, waits: Waits) -> None:
    if step.name == "OP_DMA_WAIT":
        waits.dma_wait(step.fields["outstanding"])
    elif step.name == "OP_KERNEL_WAIT":
        waits.kernel_wait(step.fields["outstanding"])
    elif is_operation(step):
        operation = operation_at(step, configuration)
        if operation.copy is not None:
            unknown.copy(operation.copy)
            waits.copy(operation.at, operation.copy)
        else:
            kernel = Kernel(operation, configuration)
            unknown.kernel(kernel)
            waits.kernel(kernel)
