# SPDX-License-Identifier: Apache-2.0
"""Estimates the cycles of operations. The estimate follows Vela's, block by block.

Hardware computes the output in blocks. For each block, the multipliers fill accumulators. Then the
output unit scales and stores these, while the multipliers work on the next block. So the time of an
operation is the slower unit's time for all blocks plus the faster unit's time for one block. Memory
accesses run in parallel with both units: an operation takes at least the time of its bytes on the
busiest port. A copy runs in parallel with the previous operation, and costs only the part of its
time that exceeds this operation.

Vela also counts bursts, and inputs that are read more than once. This model does so for U85, where
everything that Vela uses is in the stream, but not for U55 and U65. SPEC.md and SPEC_U85.md compare
the estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from pilotlight.npu.analysis import cycles_first, cycles_second
from pilotlight.npu.analysis.timing import MEMORY_SPEEDS, NO_CYCLES, Cycles, Datapath, MemorySpeed, Port, Work
from pilotlight.npu.stream.command_state import CommandState, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.isa import Generation
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Kind, Operation

__all__ = [
    "MEMORY_SPEEDS",
    "NO_CYCLES",
    "Cycles",
    "Datapath",
    "MemorySpeed",
    "Port",
    "Work",
    "datapath",
    "datapaths_of",
    "estimate",
]


def estimate(datapath: Datapath, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> Cycles:
    """Estimate an operation. ports: the AXI port of each region."""
    return datapath.cycles(work, ports, speed)


@lru_cache(maxsize=64)
def datapaths_of(stream: bytes, configuration: Configuration) -> Mapping[int, Datapath]:
    """Return the datapath cycles of each operation in a stream, by word index."""
    operations = {operation.at: operation for operation in operations_of(stream, configuration)}
    paths: dict[int, Datapath] = {}
    under_way: Datapath | None = None
    chain: Datapath | None = None
    for step in steps_of(stream, configuration.product, CommandState()):
        operation = operations.get(step.position // 4)
        if operation is None:
            if step.name == "OP_KERNEL_WAIT" and step.fields["outstanding"] == 0:
                under_way = None
        elif operation.kind is Kind.COPY:
            beside = 0 if under_way is None else under_way.total
            paths[operation.at] = replace(datapath(operation, configuration), beside=beside)
            under_way = None
        else:
            chained = any(operand.is_chained for operand in operation.inputs)
            chain = under_way = paths[operation.at] = datapath(operation, configuration, chain if chained else None)
    return paths


def datapath(operation: Operation, configuration: Configuration, before: Datapath | None = None) -> Datapath:
    """Return the datapath of an operation. before: that of the previous kernel of its chain."""
    if configuration.product.generation is Generation.SECOND:
        return cycles_second.datapath(operation, configuration, before)
    return cycles_first.datapath(operation, configuration)
