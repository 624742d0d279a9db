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
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic import convolution, elementwise, pooling
from pilotlight.npu.arithmetic.elementwise import OperandScaling
from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.arithmetic.scratch import Scratch
from pilotlight.npu.arithmetic.weight_matrix import Weights
from pilotlight.npu.arithmetic.weight_order import WeightGeometry
from pilotlight.npu.arithmetic.weights import U55_SCALES, parse_scales
from pilotlight.npu.hardware.operand_memory import OperandMemory, PlacedOperand
from pilotlight.npu.hardware.output import Run, fixed, output_stage, per_element, store, unchanged
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import SMALL_BYTES, BoundMap
from pilotlight.npu.stream.isa import ElementwiseMode, PoolingMode
from pilotlight.npu.stream.memory import Bytes
from pilotlight.npu.stream.operations import INTERNAL, Kind, Operation

# A limit of this simulator, not of the hardware: some seconds of work in one operation.
_MAX_MACS = 1 << 35


class Planner:
    """Plans one operation. Afterwards `macs` and `elements` tell how much work the operation is."""

    def __init__(self, memory: OperandMemory) -> None:
        self._memory = memory
        self.macs = 0
        self.elements = 0

    def plan(self, operation: Operation) -> Run:
        """Return the function that executes `operation`. Raises NpuStop."""
        if operation.kind is Kind.COPY:
            return self._copy(operation)
        if operation.kind is Kind.POOL:
            return self._pool(operation)
        if operation.kind is Kind.ELEMENTWISE:
            return self._elementwise(operation)
        return self._convolution(operation)

    def _target(self, operation: Operation) -> BoundMap:
        assert operation.ofm is not None
        target = self._memory.place(operation.ofm, written=True).bound
        self.elements = prod(operation.ofm.shape)
        return target

    def _convolution(self, operation: Operation) -> Run:
        machine, kernel = self._memory.machine, operation.kernel
        assert kernel is not None and operation.ifm is not None and operation.ofm is not None
        height, width, depth = operation.ofm.shape
        in_depth = operation.ifm.shape[2]
        depthwise = operation.kind is Kind.DEPTHWISE
        self.macs = height * width * depth * kernel.height * kernel.width * (1 if depthwise else in_depth)
        if self.macs > _MAX_MACS:
            raise MalformedStream(f"{self.macs} multiplications in one operation are beyond this simulator")
        macs = self.macs
        source, read = self._memory.upscaled_input(operation)
        scale_streams = self._memory.streams(operation.scales, Channel.SCALE, depth)
        weight_streams = self._memory.streams(operation.weights, Channel.WEIGHTS, depth)
        geometry = WeightGeometry(
            depthwise=depthwise,
            out_channels=depth,
            in_channels=in_depth,
            height=kernel.height,
            width=kernel.width,
            dilation_y=kernel.dilation_y,
            dilation_x=kernel.dilation_x,
            part_kernel_first=kernel.part_kernel_first,
            ifm_bits=8 * source.where.dtype.itemsize,
            ofm_block_depth=operation.block[2],
            ofm_microblock_depth=machine.configuration.ofm_microblock_depth,
        )
        zero_point = source.where.zero_point
        bounds = np.iinfo(source.where.dtype)
        # Padding holds the zero point.
        largest = max(-int(bounds.min), int(bounds.max), abs(zero_point))

        def constants(scale_bytes: tuple[bytes, ...], weight_bytes: tuple[bytes, ...]) -> _Constants:
            scales = parse_scales(scale_bytes, depth, U55_SCALES)
            weights = machine.weights.weights(weight_bytes, geometry)
            # sum(w * (x - zero_point)) = sum(w * x) - zero_point * sum(w)
            bias = scales.bias - zero_point * weights.sums
            multiplier, shift = operation.scale or (scales.multiplier, scales.shift)
            stage = output_stage(self._memory, operation, multiplier, shift, bias)
            dtype = convolution.accumulator_dtype(weights, largest)
            return _Constants(scale_bytes, weight_bytes, weights, dtype, stage)

        held = constants(_contents(scale_streams), _contents(weight_streams))
        target = self._target(operation)
        convolve = convolution.convolve_depthwise if depthwise else convolution.convolve
        padded_shape = kernel.padded_shape(*operation.upscaled_size, in_depth)

        # A small input keeps its array, whose padding is then written once.
        kept: tuple[NDArray[Any], NDArray[Any]] | None = None

        def run() -> None:
            nonlocal held, kept
            contents = _contents(scale_streams), _contents(weight_streams)
            if contents != (held.scale_bytes, held.weight_bytes):
                held = constants(*contents)
            dtype = held.accumulator
            if kept is not None and kept[0].dtype == dtype:
                values, inside = kept
            else:
                small = prod(padded_shape) <= SMALL_BYTES // 8
                values = (
                    np.empty(padded_shape, dtype)
                    if small
                    else machine.cores.scratch.array("padded", padded_shape, dtype)
                )
                inside = kernel.fill_padding(values, zero_point)
                kept = (values, inside) if small else None
            inside[...] = read()
            stage, weights, out = held.stage, held.weights, target.output()

            def compute(top: int, bottom: int, scratch: Scratch) -> None:
                whole = bottom - top == height  # An array that stays the same is found faster than a slice.
                part = values if whole else values[kernel.padded_rows(top, bottom)]
                sums = convolve(part, weights, kernel, bottom - top, width, scratch)
                stage.apply(sums, out=out if whole else out[top:bottom])

            machine.cores.divide(height, macs, compute)
            target.put(out)

        return run

    def _pool(self, operation: Operation) -> Run:
        assert operation.ofm is not None
        height, width, depth = operation.ofm.shape
        stage = self._pool_stage(operation, depth)
        kernel = operation.kernel
        if kernel is None:
            return self._reduce_sum(operation, stage)
        if height * width * depth * (kernel.height + kernel.width) > _MAX_MACS:
            raise MalformedStream("this pool is beyond this simulator")
        source, read = self._memory.upscaled_input(operation)
        target = self._target(operation)
        self.elements *= kernel.height * kernel.width
        zero_point = source.where.zero_point
        # A sum over 4096 taps of 17 bits fits into 32 bits.
        sum_type = np.int32 if source.where.dtype.itemsize <= 2 else np.int64
        if operation.mode is PoolingMode.MAX or (kernel.height == kernel.width == 1 and not kernel.padded):

            def chosen() -> NDArray[Any]:
                return pooling.maximum(read(), kernel, height, width)

            # Compilers move and scale data with pools of one element.
            return per_element(source, read if kernel.pointwise else chosen, unchanged, stage, target)
        means = pooling.mean_scaling(kernel, height, width, *operation.upscaled_size) if kernel.padded else None

        def run() -> None:
            values = np.subtract(read(), zero_point, dtype=sum_type)
            sums = pooling.window_sums(values, kernel, height, width)
            store(target, stage(), sums if means is None else means.apply(sums.astype(np.int64)))

        return run

    def _pool_stage(self, operation: Operation, channels: int) -> Callable[[], OutputStage]:
        """Return a function that returns the output stage of a pool with the present scales."""
        if operation.scale is not None:
            return fixed(output_stage(self._memory, operation, *operation.scale))
        streams = self._memory.streams(operation.scales, Channel.SCALE, channels)

        def stage_of(content: tuple[bytes, ...]) -> OutputStage:
            scales = parse_scales(content, channels, U55_SCALES)
            return output_stage(self._memory, operation, scales.multiplier, scales.shift, scales.bias)

        held = _contents(streams)
        stage = stage_of(held)

        def current() -> OutputStage:
            nonlocal held, stage
            content = _contents(streams)
            if content != held:
                held, stage = content, stage_of(content)
            return stage

        return current

    def _reduce_sum(self, operation: Operation, stage: Callable[[], OutputStage]) -> Run:
        assert operation.ifm is not None and operation.ofm is not None
        shape, in_depth = operation.ofm.shape, operation.ifm.shape[2]
        source = self._memory.place(operation.ifm)
        target = self._target(operation)
        self.elements = prod(operation.ifm.shape)
        zero_points = in_depth * source.where.zero_point

        def run() -> None:
            sums = source.bound.read().sum(axis=2, keepdims=True, dtype=np.int64)
            sums -= zero_points
            store(target, stage(), sums if shape == sums.shape else np.broadcast_to(sums, shape))

        return run

    def _elementwise(self, operation: Operation) -> Run:
        mode = operation.mode
        assert isinstance(mode, ElementwiseMode) and operation.ifm is not None
        source = self._memory.place(operation.ifm)
        multiplier, shift = operation.scale or (1, 0)
        round_mode = operation.rounding
        unscaled = mode in elementwise.UNSCALED
        stage = output_stage(self._memory, operation, *((1, 0) if unscaled else (multiplier, shift)))
        if mode.unary:
            target = self._target(operation)

            def unary(a: NDArray[np.int64]) -> NDArray[Any]:
                return elementwise.unary(mode, a, multiplier, shift, round_mode)

            return per_element(source, source.bound.read, unary, fixed(stage), target)

        swapped, scales = operation.swapped, operation.operand_scales
        assert scales is not None
        scaling = OperandScaling(
            mode=scales.mode,
            round_mode=scales.rounding,
            a_scale=scales.a_scale,
            a_shift=scales.a_shift,
            b_scale=scales.b_scale,
            fraction_bits=19 if source.where.dtype.itemsize == 1 else 14,
        )
        first: Callable[[NDArray[np.int64]], NDArray[np.int64]] = scaling.first
        second: Callable[[NDArray[np.int64]], NDArray[np.int64]] = scaling.second
        if mode not in elementwise.SCALED_OPERANDS:
            first = second = unchanged
        elif swapped:
            first, second = second, first
        if operation.ifm2 is None:
            assert operation.constant is not None
            constant = second(np.full((1, 1, 1), operation.constant, np.int64))
            target = self._target(operation)

            def with_constant(a: NDArray[np.int64]) -> NDArray[Any]:
                return elementwise.combine(mode, first(a), constant, swapped=swapped, round_mode=round_mode)

            return per_element(source, source.bound.read, with_constant, fixed(stage), target)

        other = self._memory.place(operation.ifm2)
        target = self._target(operation)
        if mode in elementwise.SHIFTS:
            read_a, read_b = source.read, other.read
        else:
            read_a, read_b = _scaled(source, first), _scaled(other, second)
        kept: NDArray[Any] | None = None

        def run() -> None:
            nonlocal kept
            result = elementwise.combine(mode, read_a(), read_b(), swapped=swapped, round_mode=round_mode, out=kept)
            store(target, stage, result)
            if result.nbytes <= SMALL_BYTES:
                kept = result

        return run

    def _copy(self, operation: Operation) -> Run:
        assert operation.copy is not None
        source, target = operation.copy.source, operation.copy.destination
        if any(operation.copy.stride_modes):
            raise MalformedStream("2D and 3D copies are not simulated")
        if source.region == INTERNAL:
            raise MalformedStream("copies from internal memory do not exist")
        if source.size == 0:
            return lambda: None
        data = self._memory.copy_source(source)
        destination = self._memory.copy_destination(target)

        def run() -> None:
            destination[...] = data

        return run


@dataclass(frozen=True)
class _Constants:
    """The bytes of a convolution's streams, and the values derived from them."""

    scale_bytes: tuple[bytes, ...]
    weight_bytes: tuple[bytes, ...]
    weights: Weights
    accumulator: type[np.float32] | type[np.float64]
    stage: OutputStage


def _contents(streams: tuple[Bytes, ...]) -> tuple[bytes, ...]:
    return tuple(stream.tobytes() for stream in streams)


def _scaled(
    operand: PlacedOperand, scaling: Callable[[NDArray[np.int64]], NDArray[np.int64]]
) -> Callable[[], NDArray[Any]]:
    """Return a function that reads an operand at the common scale.

    8-bit elements have only 256 values, which are scaled once. The scaled values are kept as
    doubles, which hold any sum or product of two of them.
    """
    if not operand.is_eight_bit:
        return lambda: scaling(operand.read())
    values = scaling(operand.every_value).astype(np.float64)
    kept: NDArray[np.float64] | None = None

    def read() -> NDArray[Any]:
        nonlocal kept
        scaled = values.take(operand.bound.read().view(np.uint8), out=kept, mode="clip")
        if scaled.nbytes <= SMALL_BYTES:
            kept = scaled
        return scaled

    return read
