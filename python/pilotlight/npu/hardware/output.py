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
from pilotlight.npu.hardware.operand_memory import OperandMemory, PlacedOperand, every_value
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.feature_map import SMALL_BYTES, BoundMap
from pilotlight.npu.stream.isa import ClipRange, RoundMode
from pilotlight.npu.stream.operations import Operation

_TANH, _SIGMOID = 3, 4

_FORCED_CLIP = {
    ClipRange.FORCE_UINT8: (0, 255),
    ClipRange.FORCE_INT8: (-128, 127),
    ClipRange.FORCE_INT16: (-(1 << 15), (1 << 15) - 1),
}

# Executes a planned operation.
Run = Callable[[], None]


def output_stage(
    memory: OperandMemory, operation: Operation, multiplier: Any, shift: Any, bias: NDArray[np.float64] | None = None
) -> OutputStage:
    """Return the output stage of `operation`.

    multiplier, shift, bias: see OutputStage. Raises MalformedStream for a clip range or an
    activation function that does not exist or is not simulated.
    """
    assert operation.ofm is not None
    signed, dtype, activation = operation.ofm.signed, operation.ofm.map.dtype, operation.activation
    if activation.clip_range not in list(ClipRange):
        raise MalformedStream(f"clip range {activation.clip_range} does not exist")
    clip_range = ClipRange(activation.clip_range)
    clip_signed = signed if clip_range is ClipRange.OFM_PRECISION else clip_range is not ClipRange.FORCE_UINT8
    limits: tuple[int, int] | None = None
    if dtype.itemsize <= 2 or clip_range is not ClipRange.OFM_PRECISION or activation.is_table:
        limits = activation.limits(clip_signed)
        limits = _within_type(limits, dtype, clip_range, wide_table=activation.is_table)
    table = None
    if (place := operation.table) is not None:
        table = ActivationTable(memory.table(place), clip_signed, place.wide, place.result_bytes)
    elif activation.function in (_TANH, _SIGMOID):
        raise MalformedStream("the TANH and SIGMOID units are not simulated")
    elif activation.function != 0:
        raise MalformedStream(f"activation function {activation.function} does not exist")
    zero_point = operation.ofm.map.zero_point
    return OutputStage(multiplier, shift, operation.rounding, zero_point, limits, table, dtype, bias)


def _within_type(
    limits: tuple[int, int], dtype: np.dtype[Any], clip_range: ClipRange, *, wide_table: bool
) -> tuple[int, int]:
    """Reduce the clip limits to the values that can be stored, or that index the table."""
    forced = _FORCED_CLIP.get(clip_range)
    if forced is not None:
        lowest, highest = forced
    elif dtype.itemsize <= 2:
        lowest, highest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    elif wide_table:
        lowest, highest = _FORCED_CLIP[ClipRange.FORCE_INT16]
    else:
        return limits
    return (min(max(limits[0], lowest), highest), max(min(limits[1], highest), lowest))


def fixed(stage: OutputStage) -> Callable[[], OutputStage]:
    """Return a function that returns `stage`, for an output stage that no run changes."""
    return lambda: stage


def store(target: BoundMap, stage: OutputStage, accumulators: NDArray[Any]) -> None:
    """Apply the output stage and write the result."""
    target.put(stage.apply(accumulators, out=target.output()))


def unchanged(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The function of an operation that only scales."""
    return values


def _results(
    source: PlacedOperand, function: Callable[[NDArray[np.int64]], NDArray[Any]], stage: OutputStage
) -> NDArray[Any]:
    """Return the 256 results of an operation with 8-bit elements, ordered by the stored byte."""
    if function is not unchanged or stage.table is not None:
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
    target: BoundMap,
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
