# SPDX-License-Identifier: Apache-2.0
"""Plans copies: lines, rows, planes, gathers and scatters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.hardware.operand_memory import OperandMemory
from pilotlight.npu.hardware.output import Run
from pilotlight.npu.hardware.plans.plan import Plan
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import MAX_ELEMENTS
from pilotlight.npu.stream.operations import INTERNAL, Copy, CopyIndex, Operation


def plan_copy(memory: OperandMemory, operation: Operation) -> Plan:
    assert operation.copy is not None
    copy = operation.copy
    if copy.source.piece.region == INTERNAL:
        raise MalformedStream("copies from internal memory do not exist")
    if copy.total_bytes == 0:
        return Plan(lambda: None)
    if copy.total_bytes > MAX_ELEMENTS:
        raise MalformedStream(f"a copy of {copy.total_bytes} bytes is beyond this simulator")
    if copy.index is not None:
        return Plan(_indexed(memory, copy, copy.index))
    source = memory.copy_end(copy, copy.source, Channel.MEM2MEM_READ)
    target = memory.copy_end(copy, copy.destination, Channel.MEM2MEM_WRITE)

    def run() -> None:
        target[...] = source

    return Plan(run)


def _indexed(memory: OperandMemory, copy: Copy, index: CopyIndex) -> Run:
    """Plan a gather or a scatter. The list of rows is read in each run."""
    source = memory.copy_end(copy, copy.source, Channel.MEM2MEM_READ)
    target = memory.copy_end(copy, copy.destination, Channel.MEM2MEM_WRITE)
    numbers = memory.copy_index(copy, index)
    planes = np.arange(copy.planes)[:, None]

    def run() -> None:
        rows: NDArray[np.int64] = numbers.astype(np.int64)
        wrong = (rows < 0) | (rows > index.largest)
        if wrong.any():
            raise MalformedStream(f"a copy's row {rows[wrong][0]} is outside 0..{index.largest}")
        if index.of_source:
            target[...] = source[planes, rows]
        else:
            target[planes, rows] = source

    return run
