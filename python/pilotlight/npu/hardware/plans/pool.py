# SPDX-License-Identifier: Apache-2.0
"""Plans pools."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic import pooling
from pilotlight.npu.hardware.accumulators import Accumulation
from pilotlight.npu.hardware.operand_memory import OperandMemory
from pilotlight.npu.hardware.output import per_element, stage_source, unchanged
from pilotlight.npu.hardware.plans.plan import Plan, check_work
from pilotlight.npu.stream.isa import Generation, PoolingMode
from pilotlight.npu.stream.operations import Operation

# Fraction bits of the reciprocal of the number of valid positions.
_RECIPROCAL_BITS = {Generation.FIRST: 31, Generation.SECOND: 30}
_EXTREMES = {PoolingMode.MAX: pooling.maximum, PoolingMode.MIN: pooling.minimum}
_ARGMAX = (PoolingMode.ARGMAX_X, PoolingMode.ARGMAX_Y)
# ARGMAX has the index in the accumulator's bits from this one on.
_INDEX_BIT = 16


def plan_pool(memory: OperandMemory, operation: Operation) -> Plan:
    if operation.mode is PoolingMode.REDUCE_SUM:
        return _plan_sum_of_channels(memory, operation)
    if operation.mode is PoolingMode.NONE:
        return _plan_passed(memory, operation)
    return _plan_windows(memory, operation)


def _plan_windows(memory: OperandMemory, operation: Operation) -> Plan:
    kernel, ofm, mode = operation.kernel, operation.ofm, operation.mode
    assert kernel is not None and ofm is not None and isinstance(mode, PoolingMode)
    height, width, depth = ofm.shape
    stage = stage_source(memory, operation)
    elements = prod(ofm.shape) * kernel.height * kernel.width
    check_work(height * width * depth * (kernel.height + kernel.width))
    source, read = memory.upscaled_input(operation)
    accumulation = Accumulation(memory, operation)
    zero_point, item = source.where.zero_point, source.where.dtype.itemsize
    extreme = _EXTREMES.get(mode)
    single = kernel.height == kernel.width == 1 and not kernel.padded
    # The reciprocal of 1 is not exact for large values.
    copies = single and mode not in _ARGMAX and not (operation.divides and item > 2)
    if accumulation.target is not None and accumulation.is_plain and (extreme is not None or copies):
        chosen = extreme or pooling.maximum
        # Compilers move and scale data with pools of one element.
        reader = read if kernel.pointwise else lambda: chosen(read(), kernel, height, width)
        return Plan(per_element(source, reader, unchanged, stage, accumulation.target), elements)
    bits = _RECIPROCAL_BITS[memory.machine.configuration.product.generation]
    size = operation.upscaled_size
    means = pooling.mean_scaling(kernel, height, width, *size, bits) if operation.divides else None
    # A sum over 4096 taps of 17 bits fits into 32 bits.
    sum_type = np.int32 if item <= 2 else np.int64

    def sums() -> NDArray[Any]:
        if extreme is not None:
            return np.subtract(extreme(read(), kernel, height, width), zero_point, dtype=np.int64)
        if mode in _ARGMAX:
            along_rows = mode is PoolingMode.ARGMAX_Y
            return pooling.first_maximum(read(), kernel, height, width, along_rows=along_rows) << _INDEX_BIT
        values = np.subtract(read(), zero_point, dtype=sum_type)
        found = pooling.window_sums(values, kernel, height, width)
        return found if means is None else means.apply(found.astype(np.int64))

    return Plan(lambda: accumulation.finish(sums(), stage()), elements)


def _plan_sum_of_channels(memory: OperandMemory, operation: Operation) -> Plan:
    assert operation.ifm is not None
    stage, source = stage_source(memory, operation), memory.place(operation.ifm)
    accumulation = Accumulation(memory, operation)
    zero_points = operation.ifm.shape[2] * source.where.zero_point

    def run() -> None:
        sums = source.bound.read().sum(axis=2, keepdims=True, dtype=np.int64)
        sums -= zero_points
        accumulation.finish(sums, stage())

    return Plan(run, prod(operation.ifm.shape))


def _plan_passed(memory: OperandMemory, operation: Operation) -> Plan:
    """Plan a pool that only passes accumulators to the output."""
    assert operation.ifm is not None
    stage, source = stage_source(memory, operation), memory.place(operation.ifm)
    accumulation, elements = Accumulation(memory, operation), prod(operation.ifm.shape)
    if accumulation.target is not None and accumulation.is_plain:
        return Plan(per_element(source, source.bound.read, unchanged, stage, accumulation.target), elements)
    return Plan(lambda: accumulation.finish(source.read(), stage()), elements)
