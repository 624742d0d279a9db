# SPDX-License-Identifier: Apache-2.0
"""Plans elementwise operations."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic import elementwise
from pilotlight.npu.arithmetic.elementwise import OperandScaling
from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.arithmetic.scaling import Scaling
from pilotlight.npu.hardware.operand_memory import OperandMemory, PlacedOperand
from pilotlight.npu.hardware.output import Run, fixed, output_stage, per_element, store, unchanged
from pilotlight.npu.hardware.plans.plan import Plan
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.feature_map import SMALL_BYTES, OutputMap
from pilotlight.npu.stream.isa import ElementwiseMode
from pilotlight.npu.stream.operations import Factor, OperandFactors, OperandScales, Operation

# Scales an operand; `unchanged` if it has no scale.
_Scale = Callable[[NDArray[np.int64]], NDArray[np.int64]]


def plan_elementwise(memory: OperandMemory, operation: Operation) -> Plan:
    mode, ofm = operation.mode, operation.ofm
    assert isinstance(mode, ElementwiseMode) and operation.ifm is not None and ofm is not None
    source = memory.place(operation.ifm)
    first_generation = not isinstance(operation.operand_scales, OperandFactors)
    factor = operation.scale or Factor()
    if operation.scale is None and not first_generation:
        raise MalformedStream("elementwise operations with a scale per channel are not simulated")
    unscaled = mode in (elementwise.UNSCALED_FIRST if first_generation else elementwise.UNSCALED)
    stage = output_stage(memory, operation, *((1, 0) if unscaled else (factor.multiplier, factor.shift)))
    elements = prod(ofm.shape)
    if mode.unary:
        function = _unary(mode, operation, factor)
        return Plan(_repeated(source, memory.target(operation), function, stage), elements)
    first, second = _scales(operation, source)
    round_mode, bits = operation.rounding.rounding, 8 * source.where.dtype.itemsize
    swapped = operation.swapped
    if operation.ifm2 is None:
        assert operation.constant is not None
        constant = second(np.full((1, 1, 1), operation.constant, np.int64))

        def with_constant(a: NDArray[np.int64]) -> NDArray[Any]:
            return elementwise.combine(mode, first(a), constant, swapped=swapped, round_mode=round_mode, bits=bits)

        target = memory.target(operation)
        run = _repeated(source, target, with_constant, stage)
    else:
        other = memory.place(operation.ifm2)
        target = memory.target(operation)
        run = _two_maps(operation, (source, other), target, (first, second), stage)
    return Plan(_with_flag(memory, operation, target, run) if elementwise.compares(mode) else run, elements)


def _with_flag(memory: OperandMemory, operation: Operation, target: OutputMap, run: Run) -> Run:
    """Return a function that executes a comparison and sets the flag for branches."""
    assert operation.ofm is not None
    flag, zero_point = memory.machine.flag, operation.ofm.map.zero_point

    def compare() -> None:
        run()
        flag.value = int(target.last()) != zero_point

    return compare


def _unary(mode: ElementwiseMode, operation: Operation, factor: Factor) -> Callable[[NDArray[np.int64]], NDArray[Any]]:
    factors = operation.operand_scales
    if mode is ElementwiseMode.LRELU:
        if isinstance(factors, OperandFactors):
            positive, negative = _scaling(factors.ifm), _scaling(factors.ifm2)
        else:  # Only negative values are scaled, with the output's scale.
            positive, negative = None, _scaling(factor)
        return lambda a: elementwise.leaky(a, positive, negative)
    scale = _scaling(factors.ifm).apply if isinstance(factors, OperandFactors) else unchanged
    return lambda a: elementwise.unary(mode, scale(a))


def _scaling(factor: Factor) -> Scaling:
    return Scaling(factor.multiplier, factor.shift, factor.rounding, factor.double_bits)


def _scales(operation: Operation, source: PlacedOperand) -> tuple[_Scale, _Scale]:
    """Return what scales the operand `ifm` and the other one."""
    scales = operation.operand_scales
    if isinstance(scales, OperandFactors):
        ifm, ifm2 = (unchanged if factor.is_one else _scaling(factor).apply for factor in (scales.ifm, scales.ifm2))
        return ifm, ifm2
    assert isinstance(scales, OperandScales)
    if operation.mode not in elementwise.SCALED_OPERANDS:
        return unchanged, unchanged
    scaling = OperandScaling(
        mode=scales.mode,
        round_mode=scales.rounding,
        a_scale=scales.a_scale,
        a_shift=scales.a_shift,
        b_scale=scales.b_scale,
        fraction_bits=19 if source.where.dtype.itemsize == 1 else 14,
    )
    return (scaling.second, scaling.first) if operation.swapped else (scaling.first, scaling.second)


def _repeated(
    source: PlacedOperand,
    target: OutputMap,
    function: Callable[[NDArray[np.int64]], NDArray[Any]],
    stage: OutputStage,
) -> Run:
    """Plan an operation on one map, which may be repeated on some axes."""
    shape = target.shape
    if source.bound.shape == shape:
        return per_element(source, source.bound.read, function, fixed(stage), target)
    return per_element(
        source,
        lambda: np.ascontiguousarray(np.broadcast_to(source.bound.read(), shape)),
        function,
        fixed(stage),
        target,
    )


def _two_maps(
    operation: Operation,
    operands: tuple[PlacedOperand, PlacedOperand],
    target: OutputMap,
    scales: tuple[_Scale, _Scale],
    stage: OutputStage,
) -> Run:
    mode, ofm = operation.mode, operation.ofm
    assert isinstance(mode, ElementwiseMode) and ofm is not None
    (source, other), (first, second) = operands, scales
    if elementwise.needs_integers(mode):
        read_a, read_b = _integers(source, first), _integers(other, second)
    else:
        read_a, read_b = _scaled(source, first), _scaled(other, second)
    swapped, round_mode, bits = operation.swapped, operation.rounding.rounding, 8 * source.where.dtype.itemsize
    kept: NDArray[Any] | None = None
    whole = np.broadcast_shapes(source.bound.shape, other.bound.shape) == ofm.shape

    def run() -> None:
        nonlocal kept
        result = elementwise.combine(
            mode, read_a(), read_b(), swapped=swapped, round_mode=round_mode, bits=bits, out=kept
        )
        store(target, stage, result if whole else np.broadcast_to(result, ofm.shape))
        if result.nbytes <= SMALL_BYTES:
            kept = result

    return run


def _integers(operand: PlacedOperand, scale: _Scale) -> Callable[[], NDArray[Any]]:
    return operand.read if scale is unchanged else lambda: scale(operand.read())


def _scaled(operand: PlacedOperand, scale: _Scale) -> Callable[[], NDArray[Any]]:
    """Return a function that reads an operand at the common scale.

    8-bit elements have only 256 values, which are scaled once. The scaled values are kept as
    doubles, which hold any sum or product of two of them.
    """
    if not operand.is_eight_bit:
        return _integers(operand, scale)
    values = scale(operand.every_value).astype(np.float64)
    kept: NDArray[np.float64] | None = None

    def read() -> NDArray[Any]:
        nonlocal kept
        scaled = values.take(operand.bound.read().view(np.uint8), out=kept, mode="clip")
        if scaled.nbytes <= SMALL_BYTES:
            kept = scaled
        return scaled

    return read
