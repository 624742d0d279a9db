# SPDX-License-Identifier: Apache-2.0
"""Plans products of two feature maps: convolutions whose weights are IFM2."""

from __future__ import annotations

from math import prod

import numpy as np

from pilotlight.npu.hardware.accumulators import Accumulation
from pilotlight.npu.hardware.operand_memory import OperandMemory, PlacedOperand
from pilotlight.npu.hardware.output import stage_source
from pilotlight.npu.hardware.plans.plan import Plan, check_work
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import Upscale
from pilotlight.npu.stream.operations import Operation

# Below this magnitude, float32 holds every integer.
_FLOAT32_EXACT = 1 << 24


def plan_matrix_product(memory: OperandMemory, operation: Operation) -> Plan:
    kernel, ofm = operation.kernel, operation.ofm
    assert kernel is not None and ofm is not None and operation.ifm is not None and operation.ifm2 is not None
    if not kernel.pointwise or operation.upscale is not Upscale.NONE:
        raise MalformedStream("a product of two feature maps with a kernel, a stride, padding or upscaling")
    in_depth = operation.ifm.shape[2]
    macs = prod(ofm.shape) * in_depth
    check_work(macs)
    stage = stage_source(memory, operation)
    left, right = memory.place(operation.ifm), memory.place(operation.ifm2)
    accumulation = Accumulation(memory, operation)
    largest = _largest(left) * _largest(right) * in_depth
    dtype = np.float32 if largest < _FLOAT32_EXACT else np.float64
    left_zero, right_zero = left.where.zero_point, right.where.zero_point
    depth = ofm.shape[2]

    def run() -> None:
        a = np.subtract(left.bound.read(), left_zero, dtype=dtype)
        b = np.subtract(right.bound.read(), right_zero, dtype=dtype).reshape(depth, in_depth)
        accumulation.finish((a.reshape(-1, in_depth) @ b.T).reshape(ofm.shape), stage())

    return Plan(run, prod(ofm.shape), macs)


def _largest(operand: PlacedOperand) -> int:
    bounds, zero_point = np.iinfo(operand.where.dtype), operand.where.zero_point
    return max(int(bounds.max) - zero_point, zero_point - int(bounds.min))
