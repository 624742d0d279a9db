# SPDX-License-Identifier: Apache-2.0
"""Operations as the registers describe them: what each command computes, split in what is known once and what is done
each time.

A plan is made when a stream reaches an operation for the first time: sizes, layouts, places in memory, scales, and
every check. Its `run` is then a few NumPy calls. Whatever lies in memory may differ from run to run, constants too: a
plan compares the bytes of weights, scales and tables with those it was made for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic import convolution, elementwise, pooling
from pilotlight.npu.arithmetic.activation import ActivationTable
from pilotlight.npu.arithmetic.elementwise import OperandScaling
from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.arithmetic.scratch import Scratch
from pilotlight.npu.arithmetic.weights import WeightCache, WeightGeometry, Weights, parse_scales
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import BoundMap, FeatureMap, access
from pilotlight.npu.stream.isa import ClipRange, ElementwiseMode, PoolingMode, Upscale
from pilotlight.npu.stream.kernel import upscale
from pilotlight.npu.stream.memory import Bytes, Memory
from pilotlight.npu.stream.operations import INTERNAL, TABLE_SLOT_BYTES, Kind, Operation, Range, Table
from pilotlight.npu.stream.operations import Operand as Described

_TANH, _SIGMOID = 3, 4

# A limit of this simulator, not of the hardware, as for feature maps: some seconds of work in one operation.
_MAX_MACS = 1 << 35

_FORCED_CLIP = {
    ClipRange.FORCE_UINT8: (0, 255),
    ClipRange.FORCE_INT8: (-128, 127),
    ClipRange.FORCE_INT16: (-(1 << 15), (1 << 15) - 1),
}

Run = Callable[[], None]


@dataclass(frozen=True)
class Machine:
    """What operations work on: the NPU's own memory and that behind the bus."""

    configuration: Configuration
    memory: Memory
    shram: Bytes
    weights: WeightCache
    scratch: Scratch


@dataclass(frozen=True)
class Operand:
    """A feature map and where it is in memory."""

    where: FeatureMap
    bound: BoundMap

    @property
    def is_eight_bit(self) -> bool:
        return self.where.dtype.itemsize == 1

    @property
    def every_value(self) -> NDArray[np.int64]:
        """All values of an 8-bit element without their zero point, in the order of the stored byte."""
        stored = np.arange(256, dtype=np.uint8).view(self.where.dtype)
        return stored.astype(np.int64) - self.where.zero_point

    def read(self) -> NDArray[np.int64]:
        """Return the elements without their zero point."""
        return np.subtract(self.bound.read(), self.where.zero_point, dtype=np.int64)


class Planner:
    """Plans one operation. Afterwards `macs`, `elements`, `read_bytes` and `written_bytes` (by region) say how much
    work it is."""

    def __init__(self, machine: Machine, bases: tuple[int, ...]) -> None:
        self._machine = machine
        self._bases = bases
        self.macs = 0
        self.elements = 0
        self.read_bytes: dict[int, int] = {}
        self.written_bytes: dict[int, int] = {}

    def plan(self, operation: Operation) -> Run:
        """Return what executes `operation`. Raises NpuStop."""
        if operation.kind is Kind.COPY:
            return self._copy(operation)
        if operation.kind is Kind.POOL:
            return self._pool(operation)
        if operation.kind is Kind.ELEMENTWISE:
            return self._elementwise(operation)
        return self._convolution(operation)

    # -- operands ---------------------------------------------------------------------------------------------------

    def _bind(self, operand: Described, *, written: bool = False) -> Operand:
        region = operand.map.region
        where = replace(operand.map, region_base=self._bases[region])
        bound = where.bind(self._machine.memory, operand.shape, writable=written)
        self._count(self.written_bytes if written else self.read_bytes, region, bound.nbytes)
        return Operand(where, bound)

    @staticmethod
    def _count(counter: dict[int, int], region: int, size_bytes: int) -> None:
        counter[region] = counter.get(region, 0) + size_bytes

    def _streams(self, streams: tuple[Range, ...], channel: Channel, channels: int) -> tuple[Bytes, ...]:
        """Find the weight or scale streams, one per core; that of a core without channels is empty."""
        found: list[Bytes] = []
        for core, stream in enumerate(streams):
            if self._is_idle(core, channels):
                found.append(np.empty(0, np.uint8))
                continue
            address, memory = self._bases[stream.region] + stream.start, self._machine.memory
            nothing = np.empty(0, np.uint8)
            found.append(access(memory, address, stream.size, channel, stream.region) if stream.size else nothing)
            self._count(self.read_bytes, stream.region, stream.size)
        return tuple(found)

    def _is_idle(self, core: int, channels: int) -> bool:
        """Whether a core reads no stream. What the registers say of it then may be from a program before."""
        return core >= channels

    def _upscaled_input(self, operation: Operation) -> tuple[Operand, Callable[[], NDArray[Any]]]:
        """Find the IFM of a kernel operation. Return it, and what reads it at its upscaled size, stored elements
        still with their zero point."""
        assert operation.ifm is not None
        source, mode = self._bind(operation.ifm), operation.upscale
        if mode is Upscale.NONE:
            return source, source.bound.read
        (height, width), zero_point = operation.upscaled_size, source.where.zero_point
        return source, lambda: upscale(source.bound.read(), mode, height, width, zero_point)

    # -- output -----------------------------------------------------------------------------------------------------

    def _output_stage(
        self, operation: Operation, multiplier: Any, shift: Any, bias: NDArray[np.float64] | None = None
    ) -> OutputStage:
        assert operation.ofm is not None
        signed, dtype, activation = operation.ofm.signed, operation.ofm.map.dtype, operation.activation
        if activation.clip_range not in list(ClipRange):
            raise MalformedStream(f"clip range {activation.clip_range} does not exist")
        clip_range = ClipRange(activation.clip_range)
        clip_signed = signed if clip_range is ClipRange.OFM_PRECISION else clip_range is not ClipRange.FORCE_UINT8
        limits: tuple[int, int] | None = None
        if dtype.itemsize <= 2 or clip_range is not ClipRange.OFM_PRECISION or activation.is_table:
            limits = activation.limits(clip_signed)
            limits = self._within_type(limits, dtype, clip_range, wide_table=activation.is_table)
        table = None
        if operation.table is not None:
            table = self._table(operation.table, clip_signed)
        elif activation.function in (_TANH, _SIGMOID):
            raise MalformedStream("the TANH and SIGMOID units are not simulated")
        elif activation.function != 0:
            raise MalformedStream(f"activation function {activation.function} does not exist")
        zero_point = operation.ofm.map.zero_point
        return OutputStage(multiplier, shift, operation.rounding, zero_point, limits, table, dtype, bias)

    @staticmethod
    def _within_type(
        limits: tuple[int, int], dtype: np.dtype[Any], clip_range: ClipRange, *, wide_table: bool
    ) -> tuple[int, int]:
        """Cut the clip limits to what can be stored, or to what indexes the table."""
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

    def _table(self, place: Table, signed: bool) -> ActivationTable:
        data = self._machine.shram[self._machine.configuration.lut_offset :][place.slot * TABLE_SLOT_BYTES :]
        if place.size_bytes > len(data):
            raise MalformedStream(f"activation table {place.slot} of {place.size_bytes} bytes exceeds the table memory")
        return ActivationTable(data[: place.size_bytes], signed, place.wide, place.result_bytes)

    def _target(self, operation: Operation) -> BoundMap:
        assert operation.ofm is not None
        target = self._bind(operation.ofm, written=True).bound
        self.elements = prod(operation.ofm.shape)
        return target

    # -- operations -------------------------------------------------------------------------------------------------

    def _convolution(self, operation: Operation) -> Run:
        machine, kernel = self._machine, operation.kernel
        assert kernel is not None and operation.ifm is not None and operation.ofm is not None
        height, width, depth = operation.ofm.shape
        in_depth = operation.ifm.shape[2]
        depthwise = operation.kind is Kind.DEPTHWISE
        self.macs = height * width * depth * kernel.height * kernel.width * (1 if depthwise else in_depth)
        if self.macs > _MAX_MACS:
            raise MalformedStream(f"{self.macs} multiplications in one operation are beyond this simulator")
        source, read = self._upscaled_input(operation)
        scale_streams = self._streams(operation.scales, Channel.SCALE, depth)
        weight_streams = self._streams(operation.weights, Channel.WEIGHTS, depth)
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
        # Padding is a value like others.
        largest = max(-int(bounds.min), int(bounds.max), abs(zero_point))

        def constants(scale_bytes: tuple[bytes, ...], weight_bytes: tuple[bytes, ...]) -> _Constants:
            scales = parse_scales(scale_bytes, depth)
            weights = machine.weights.weights(weight_bytes, geometry)
            # The sum of w * (x - zero_point) is that of w * x, less what depends on weights only.
            bias = scales.bias - zero_point * weights.sums
            multiplier, shift = operation.scale or (scales.multiplier, scales.shift)
            stage = self._output_stage(operation, multiplier, shift, bias)
            return _Constants(scale_bytes, weight_bytes, weights, stage)

        held = constants(_contents(scale_streams), _contents(weight_streams))
        target = self._target(operation)
        convolve = convolution.convolve_depthwise if depthwise else convolution.convolve
        padded_shape = kernel.padded_shape(*operation.upscaled_size, in_depth)

        def run() -> None:
            nonlocal held
            contents = _contents(scale_streams), _contents(weight_streams)
            if contents != (held.scale_bytes, held.weight_bytes):
                held = constants(*contents)
            dtype = convolution.accumulator_dtype(held.weights, largest)
            values = machine.scratch.array("padded", padded_shape, dtype)
            kernel.pad_into(values, read(), zero_point)
            _store(target, held.stage, convolve(values, held.weights, kernel, height, width, machine.scratch))

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
        source, read = self._upscaled_input(operation)
        target = self._target(operation)
        self.elements *= kernel.height * kernel.width
        zero_point = source.where.zero_point
        # 4096 taps of 17 bits stay within 32.
        sum_type = np.int32 if source.where.dtype.itemsize <= 2 else np.int64
        if operation.mode is PoolingMode.MAX or (kernel.height == kernel.width == 1 and not kernel.padded):

            def chosen() -> NDArray[Any]:
                return pooling.maximum(read(), kernel, height, width)

            return _per_element(source, chosen, _unchanged, stage, target)
        means = pooling.mean_scaling(kernel, height, width, *operation.upscaled_size) if kernel.padded else None

        def run() -> None:
            values = np.subtract(read(), zero_point, dtype=sum_type)
            sums = pooling.window_sums(values, kernel, height, width)
            _store(target, stage(), sums if means is None else means.apply(sums.astype(np.int64)))

        return run

    def _pool_stage(self, operation: Operation, channels: int) -> Callable[[], OutputStage]:
        """Return what gives the output stage of a pool as its scales are now."""
        if operation.scale is not None:
            return _fixed(self._output_stage(operation, *operation.scale))
        streams = self._streams(operation.scales, Channel.SCALE, channels)

        def stage_of(content: tuple[bytes, ...]) -> OutputStage:
            scales = parse_scales(content, channels)
            return self._output_stage(operation, scales.multiplier, scales.shift, scales.bias)

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
        source = self._bind(operation.ifm)
        target = self._target(operation)
        self.elements = prod(operation.ifm.shape)
        zero_points = in_depth * source.where.zero_point

        def run() -> None:
            sums = source.bound.read().sum(axis=2, keepdims=True, dtype=np.int64)
            sums -= zero_points
            _store(target, stage(), np.broadcast_to(sums, shape))

        return run

    def _elementwise(self, operation: Operation) -> Run:
        mode = operation.mode
        assert isinstance(mode, ElementwiseMode) and operation.ifm is not None
        source = self._bind(operation.ifm)
        multiplier, shift = operation.scale or (1, 0)
        round_mode = operation.rounding
        unscaled = mode in elementwise.UNSCALED
        stage = self._output_stage(operation, *((1, 0) if unscaled else (multiplier, shift)))
        if mode.unary:
            target = self._target(operation)

            def unary(a: NDArray[np.int64]) -> NDArray[Any]:
                return elementwise.unary(mode, a, multiplier, shift, round_mode)

            return _per_element(source, source.bound.read, unary, _fixed(stage), target)

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
            first = second = _unchanged
        elif swapped:
            first, second = second, first
        if operation.ifm2 is None:
            assert operation.constant is not None
            constant = second(np.full((1, 1, 1), operation.constant, np.int64))
            target = self._target(operation)

            def with_constant(a: NDArray[np.int64]) -> NDArray[Any]:
                return elementwise.combine(mode, first(a), constant, swapped=swapped, round_mode=round_mode)

            return _per_element(source, source.bound.read, with_constant, _fixed(stage), target)

        other = self._bind(operation.ifm2)
        target = self._target(operation)
        if mode in elementwise.SHIFTS:
            read_a, read_b = source.read, other.read
        else:
            read_a, read_b = _scaled(source, first), _scaled(other, second)

        def run() -> None:
            result = elementwise.combine(mode, read_a(), read_b(), swapped=swapped, round_mode=round_mode)
            _store(target, stage, result)

        return run

    def _copy(self, operation: Operation) -> Run:
        """DMA. Destinations in internal memory are byte offsets in SHRAM."""
        copy, machine = operation.copy, self._machine
        assert copy is not None
        source, target = copy.source, copy.destination
        if any(copy.stride_modes):
            raise MalformedStream("2D and 3D copies are not simulated")
        if source.region == INTERNAL:
            raise MalformedStream("copies from internal memory do not exist")
        if source.size == 0:
            return lambda: None
        from_address = self._bases[source.region] + source.start
        data = access(machine.memory, from_address, source.size, Channel.MEM2MEM_READ, source.region)
        self._count(self.read_bytes, source.region, source.size)
        if target.region == INTERNAL:
            if target.start + target.size > len(machine.shram):
                raise MalformedStream(f"a copy of {target.size} bytes to {target.start:#x} exceeds the internal memory")
            destination = machine.shram[target.start : target.start + target.size]
        else:
            to_address = self._bases[target.region] + target.start
            channel = Channel.MEM2MEM_WRITE
            destination = access(machine.memory, to_address, target.size, channel, target.region, writable=True)
            self._count(self.written_bytes, target.region, target.size)

        def run() -> None:
            destination[...] = data

        return run


@dataclass(frozen=True)
class _Constants:
    """What a convolution derives from its streams."""

    scale_bytes: tuple[bytes, ...]
    weight_bytes: tuple[bytes, ...]
    weights: Weights
    stage: OutputStage


def _contents(streams: tuple[Bytes, ...]) -> tuple[bytes, ...]:
    return tuple(stream.tobytes() for stream in streams)


def _unchanged(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return values


def _scaled(operand: Operand, scaling: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Callable[[], NDArray[Any]]:
    """Return what reads an operand at the common scale. 8-bit elements have but 256 values: scaled once, and as
    doubles, which hold any sum or product of two of them."""
    if not operand.is_eight_bit:
        return lambda: scaling(operand.read())
    values = scaling(operand.every_value).astype(np.float64)
    return lambda: values.take(operand.bound.read().view(np.uint8))


def _fixed(stage: OutputStage) -> Callable[[], OutputStage]:
    return lambda: stage


def _per_element(
    source: Operand,
    read: Callable[[], NDArray[Any]],
    function: Callable[[NDArray[np.int64]], NDArray[Any]],
    stage: Callable[[], OutputStage],
    target: BoundMap,
) -> Run:
    """Run what makes each output from one stored element: `read`, zero point, `function`, output stage.

    For 8-bit elements that is a table of 256 results, unless channels differ.
    """
    if not source.is_eight_bit or stage().per_channel:
        zero_point = source.where.zero_point

        def compute() -> None:
            _store(target, stage(), function(np.subtract(read(), zero_point, dtype=np.int64)))

        return compute

    activation = b""
    results: NDArray[Any] | None = None

    def look_up() -> None:
        nonlocal activation, results
        table = stage().table
        content = b"" if table is None else table.content
        if results is None or content != activation:
            activation = content
            results = stage().apply(function(source.every_value.reshape(1, 1, -1))).reshape(-1)
        target.write(results.take(read().view(np.uint8)))

    return look_up


def _store(target: BoundMap, stage: OutputStage, accumulators: NDArray[Any]) -> None:
    memory = target.dense
    if memory is not None and memory.flags.c_contiguous:
        stage.apply(accumulators, out=memory)
    else:
        target.write(stage.apply(accumulators))
