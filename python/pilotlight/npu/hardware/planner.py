# SPDX-License-Identifier: Apache-2.0
"""Plans operations: does the work that is the same in each run once, and returns a function for the
rest.

A plan is made when a stream first reaches an operation. Planning finds sizes, layouts, places in
memory and scales, and makes every check. A run is then a few NumPy calls. The memory may hold other
values in each run, even in the regions of constants: a run compares the bytes of weights, scales
and tables with the bytes that the plan was made for.
"""

from __future__ import annotations

from collections.abc import Callable

from pilotlight.npu.hardware.operand_memory import OperandMemory
from pilotlight.npu.hardware.plans.convolution import plan_convolution
from pilotlight.npu.hardware.plans.copy import plan_copy
from pilotlight.npu.hardware.plans.elementwise import plan_elementwise
from pilotlight.npu.hardware.plans.matrix_product import plan_matrix_product
from pilotlight.npu.hardware.plans.plan import Plan
from pilotlight.npu.hardware.plans.pool import plan_pool
from pilotlight.npu.hardware.plans.resize import plan_resize
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.known_deviations import deviation_of
from pilotlight.npu.stream.operations import Kind, Operation, SecondInput

_PLANNERS: dict[Kind, Callable[[OperandMemory, Operation], Plan]] = {
    Kind.CONVOLUTION: plan_convolution,
    Kind.DEPTHWISE: plan_convolution,
    Kind.POOL: plan_pool,
    Kind.ELEMENTWISE: plan_elementwise,
    Kind.RESIZE: plan_resize,
    Kind.COPY: plan_copy,
}


def plan(memory: OperandMemory, operation: Operation) -> Plan:
    """Plan an operation. Raises NpuStop."""
    deviation = deviation_of(operation)
    if deviation is not None and memory.machine.strict:
        raise MalformedStream(deviation)
    if operation.second is SecondInput.WEIGHTS:
        return plan_matrix_product(memory, operation)
    return _PLANNERS[operation.kind](memory, operation)
