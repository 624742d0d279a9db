# SPDX-License-Identifier: Apache-2.0
"""The end of each operation: its output stage from the registers, and the write to memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.activation import ActivationTable
from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.arithmetic.weights import (
    U55_SCALES,
    U85_INT32_SCALES,
    U85_INT48_SCALES,
    ScaleFormat,
    parse_scales,
)
from pilotlight.npu.hardware.operand_memory import OperandMemory, PlacedOperand, contents, every_value
from pilotlight.npu.stream.faults import Channel
from pilotlight.npu.stream.feature_map import SMALL_BYTES, OutputMap
from pilotlight.npu.stream.isa import Generation, RoundMode
from pilotlight.npu.stream.operations import Operation

_WIDE_ACCUMULATOR = 48

# Executes a planned operation.
Run = Callable[[], None]


def output_stage(
    memory: OperandMemory, operation: Operation, multiplier: Any, shift: Any, bias: NDArray[np.float64] | None = None
) -> OutputStage:
    """Return the output stage of `operation`.

    multiplier, shift, bias: see OutputStage.
    """
    assert operation.ofm is not None
    target, table, rounding = operation.ofm.map, None, operation.rounding
    if (place := operation.table) is not None:
        table = ActivationTable(memory.table(place), place.signed, place.wide, place.result_bytes)
    return OutputStage(
        multiplier,
        shift,
        rounding.rounding,
        target.zero_point,
        operation.limits,
        table,
        target.dtype,
        bias,
        rounding.double_bits,
        operation.wraps,
    )


def scale_format(memory: OperandMemory, operation: Operation) -> ScaleFormat:
    """Return the layout of the operation's scale records."""
    if memory.machine.configuration.product.generation is Generation.FIRST:
        return U55_SCALES
    return U85_INT48_SCALES if operation.accumulator_bits == _WIDE_ACCUMULATOR else U85_INT32_SCALES


def stage_source(memory: OperandMemory, operation: Operation) -> Callable[[], OutputStage]:
    """Return a function that returns the output stage with the present scales.

    It is for operations without weights.
    """
    assert operation.ofm is not None
    if operation.scale is not None:
        return fixed(output_stage(memory, operation, operation.scale.multiplier, operation.scale.shift))
    channels, records = operation.ofm.shape[2], scale_format(memory, operation)
    streams = memory.streams(operation.scales, Channel.SCALE, operation.active_cores)

    def stage_of(content: tuple[bytes, ...]) -> OutputStage:
        scales = parse_scales(content, channels, records)
        return output_stage(memory, operation, scales.multiplier, scales.shift, scales.bias)

    held = contents(streams)
    stage = stage_of(held)

    def current() -> OutputStage:
        nonlocal held, stage
        content = contents(streams)
        if content != held:
            held, stage = content, stage_of(content)
        return stage

    return current


def fixed(stage: OutputStage) -> Callable[[], OutputStage]:
    """Return a function that returns `stage`, for an output stage that no run changes."""
    return lambda: stage


def store(target: OutputMap, stage: OutputStage, accumulators: NDArray[Any]) -> None:
    """Apply the output stage and write the result."""
    target.put(stage.apply(accumulators, out=target.output()))


def unchanged(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The function of an operation that only scales."""
    return values


def _results(
    source: PlacedOperand, function: Callable[[NDArray[np.int64]], NDArray[Any]], stage: OutputStage
) -> NDArray[Any]:
    """Return the 256 results of an operation with 8-bit elements, ordered by the stored byte."""
    if function is not unchanged or stage.table is not None or stage.wraps or stage.double_bits:
        return stage.apply(function(source.every_value.reshape(1, 1, -1))).reshape(-1)
    numbers = int(stage.multiplier), int(stage.shift), stage.round_mode, stage.zero_point, stage.limits
    return _scaled_results(source.where.dtype, source.where.zero_point, stage.dtype, *numbers)


@lru_cache(maxsize=1024)
def _scaled_results(
    stored: np.dtype[Any],
    stored_zero_point: int,
    dtype: np.dtype[Any],
    multiplier: int,
    shift: int,
    round_mode: RoundMode,
    zero_point: int,
    limits: tuple[int, int] | None,
) -> NDArray[Any]:
    """Return `_results` of an operation that only scales. Compilers move data with hundreds of
    these, and most have the same scale."""
    stage = OutputStage(multiplier, shift, round_mode, zero_point, limits, None, dtype)
    return stage.apply(every_value(stored, stored_zero_point).reshape(1, 1, -1)).reshape(-1)


def per_element(
    source: PlacedOperand,
    read: Callable[[], NDArray[Any]],
    function: Callable[[NDArray[np.int64]], NDArray[Any]],
    stage: Callable[[], OutputStage],
    target: OutputMap,
) -> Run:
    """Plan an operation that computes each output from one stored element.

    A run reads the elements with `read`, subtracts the zero point, and applies `function` and the
    output stage. For 8-bit elements, the plan uses a table of 256 results, unless the channels
    differ.
    """
    if not source.is_eight_bit or stage().per_channel:
        zero_point = source.where.zero_point

        def compute() -> None:
            store(target, stage(), function(np.subtract(read(), zero_point, dtype=np.int64)))

        return compute

    activation = b""
    results: NDArray[Any] | None = None
    # A small map is read into the same array each time. The second array views its bytes.
    kept: tuple[NDArray[Any], NDArray[np.uint8]] | None = None

    def look_up() -> None:
        nonlocal activation, results, kept
        present = stage()
        content = b"" if present.table is None else present.table.content
        if results is None or content != activation:
            activation = content
            results = _results(source, function, present)
        # take() first converts all indices, so the output may lie in the input's memory. Each index
        # exists; to raise an error for others, take() would need another array.
        values = read()
        if kept is not None and kept[0] is values:
            indices = kept[1]
        else:
            indices = values.view(np.uint8)
            kept = (values, indices) if values.nbytes <= SMALL_BYTES else None
        target.put(results.take(indices, out=target.output(), mode="clip"))

    return look_up
