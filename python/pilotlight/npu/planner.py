# SPDX-License-Identifier: Apache-2.0
"""Operations as the registers describe them: what each command computes, split in what is known once and what is done
each time.

A plan is made when a stream reaches an operation for the first time: sizes, layouts, places in memory, scales, and
every check. Its `run` is then a few NumPy calls. Whatever lies in memory may differ from run to run, constants too: a
plan compares the bytes of weights, scales and tables with those it was made for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu import convolution, elementwise, pooling
from pilotlight.npu.activation import TABLE_SLOT_BYTES, ActivationTable
from pilotlight.npu.configurations import Configuration
from pilotlight.npu.elementwise import OperandScaling
from pilotlight.npu.faults import Channel, MalformedStream
from pilotlight.npu.feature_map import BoundMap, FeatureMap, access
from pilotlight.npu.isa import ClipRange, ElementwiseMode, Instruction, PoolingMode, RoundMode, ScaleMode, Upscale
from pilotlight.npu.kernel import Kernel, stored_size, upscale
from pilotlight.npu.memory import Bytes, Memory
from pilotlight.npu.output_stage import OutputStage
from pilotlight.npu.scratch import Scratch
from pilotlight.npu.state import CommandState
from pilotlight.npu.weights import WeightCache, WeightGeometry, Weights, parse_scales

_FIRST_TABLE = 16
_TANH, _SIGMOID = 3, 4
_PART_KERNEL_FIRST = 1
_INTERNAL = 1

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

    def __init__(self, machine: Machine, state: CommandState, bases: tuple[int, ...]) -> None:
        self._machine = machine
        self._state = state
        self._bases = bases
        self.macs = 0
        self.elements = 0
        self.read_bytes: dict[int, int] = {}
        self.written_bytes: dict[int, int] = {}

    def plan(self, operation: Instruction) -> Run:
        """Return what executes `operation`. Raises NpuStop."""
        name, fields = operation.command.name, operation.fields
        if name == "OP_CONV":
            return self._convolution(depthwise=False)
        if name == "OP_DEPTHWISE":
            return self._convolution(depthwise=True)
        if name == "OP_POOL":
            return self._pool(PoolingMode(fields["pooling_mode"]))
        if name == "OP_ELEMENTWISE":
            return self._elementwise(ElementwiseMode(fields["elementwise_mode"]))
        return self._copy()

    # -- operands ---------------------------------------------------------------------------------------------------

    def _address(self, name: str) -> int:
        return self._state.get(name, "address")

    def _map(self, prefix: str, shape: tuple[int, int, int]) -> Operand:
        state = self._state
        region = state.get(f"SET_{prefix}_REGION", "region")
        precision = state.fields(f"SET_{prefix}_PRECISION")
        signed, dtype = _element(precision)
        zero_point = state.get(f"SET_{prefix}_ZERO_POINT", "zero_point")
        base0, base1, base2, base3 = (self._address(f"SET_{prefix}_BASE{tile}") for tile in range(4))
        written = prefix == "OFM"
        where = FeatureMap(
            channel=Channel.OFM if written else Channel.IFM,
            region=region,
            region_base=self._bases[region],
            bases=(base0, base1, base2, base3),
            stride_y=state.get(f"SET_{prefix}_STRIDE_Y", "distance"),
            stride_x=state.get(f"SET_{prefix}_STRIDE_X", "distance"),
            stride_c=state.get(f"SET_{prefix}_STRIDE_C", "distance"),
            height0=state.get(f"SET_{prefix}_HEIGHT0_M1", "height_m1") + 1,
            height1=state.get(f"SET_{prefix}_HEIGHT1_M1", "height_m1") + 1,
            width0=state.get(f"SET_{prefix}_WIDTH0_M1", "width_m1") + 1,
            dtype=dtype,
            bricks=bool(precision["format"]),
            zero_point=_signed16(zero_point) if signed else zero_point,
        )
        bound = where.bind(self._machine.memory, shape, writable=written)
        self._count(self.written_bytes if written else self.read_bytes, region, bound.nbytes)
        return Operand(where, bound)

    @staticmethod
    def _count(counter: dict[int, int], region: int, size_bytes: int) -> None:
        counter[region] = counter.get(region, 0) + size_bytes

    def _streams(self, kind: str, channel: Channel, channels: int) -> tuple[Bytes, ...]:
        """Find the weight or scale streams, one per core; that of a core without channels is empty."""
        region = self._state.get(f"SET_{kind}_REGION", "region")
        streams: list[Bytes] = []
        for core in range(self._cores):
            if self._is_idle(core, channels):
                streams.append(np.empty(0, np.uint8))
                continue
            name = f"SET_{kind}{core or ''}"
            address = self._bases[region] + self._address(f"{name}_BASE")
            length = self._state.get(f"{name}_LENGTH", "length")
            memory = self._machine.memory
            data = access(memory, address, length, channel, region) if length else np.empty(0, np.uint8)
            self._count(self.read_bytes, region, length)
            streams.append(data)
        return tuple(streams)

    def _ofm_shape(self) -> tuple[int, int, int]:
        state = self._state
        return (
            state.get("SET_OFM_HEIGHT_M1", "height_m1") + 1,
            state.get("SET_OFM_WIDTH_M1", "width_m1") + 1,
            state.get("SET_OFM_DEPTH_M1", "depth_m1") + 1,
        )

    def _kernel(self) -> Kernel:
        state = self._state
        word = state.fields("SET_KERNEL_STRIDE")
        dilation_y, dilation_x = word["dilation_y"] + 1, word["dilation_x"] + 1
        return Kernel(
            height=state.get("SET_KERNEL_HEIGHT_M1", "height_m1") // dilation_y + 1,
            width=state.get("SET_KERNEL_WIDTH_M1", "width_m1") // dilation_x + 1,
            stride_y=1 + word["stride_y_lsb"] + 2 * word["stride_y_msb"],
            stride_x=1 + word["stride_x_lsb"] + 2 * word["stride_x_msb"],
            dilation_y=dilation_y,
            dilation_x=dilation_x,
            pad_top=state.get("SET_IFM_PAD_TOP", "pad"),
            pad_left=state.get("SET_IFM_PAD_LEFT", "pad"),
            pad_bottom=state.get("SET_IFM_PAD_BOTTOM", "pad"),
            pad_right=state.get("SET_IFM_PAD_RIGHT", "pad"),
            part_kernel_first=word["weight_order"] == _PART_KERNEL_FIRST,
        )

    def _upscaled_input(
        self, kernel: Kernel, out_height: int, out_width: int, depth: int
    ) -> tuple[Operand, tuple[int, int], Callable[[], NDArray[Any]]]:
        """Find the IFM of a kernel operation. Return it, its upscaled size, and what reads it at that size, stored
        elements still with their zero point."""
        height, width = kernel.input_size(out_height, out_width)
        mode = Upscale(self._state.get("SET_IFM_UPSCALE", "mode"))
        source = self._map("IFM", (stored_size(height, mode), stored_size(width, mode), depth))
        if mode is Upscale.NONE:
            return source, (height, width), source.bound.read
        zero_point = source.where.zero_point
        return source, (height, width), lambda: upscale(source.bound.read(), mode, height, width, zero_point)

    # -- output -----------------------------------------------------------------------------------------------------

    def _output_stage(self, multiplier: Any, shift: Any, bias: NDArray[np.float64] | None = None) -> OutputStage:
        state = self._state
        precision = state.fields("SET_OFM_PRECISION")
        signed, dtype = _element(precision)
        function = state.get("SET_ACTIVATION", "function")
        raw_range = state.get("SET_ACTIVATION", "clip_range")
        if raw_range not in list(ClipRange):
            raise MalformedStream(f"clip range {raw_range} does not exist")
        clip_range = ClipRange(raw_range)
        clip_signed = signed if clip_range is ClipRange.OFM_PRECISION else clip_range is not ClipRange.FORCE_UINT8
        limits: tuple[int, int] | None = None
        if dtype.itemsize <= 2 or clip_range is not ClipRange.OFM_PRECISION or function >= _FIRST_TABLE:
            low, high = (state.get(f"SET_ACTIVATION_{end}", "clip_boundary") for end in ("MIN", "MAX"))
            limits = (_signed16(low), _signed16(high)) if clip_signed else (low, high)
            limits = self._within_type(limits, dtype, clip_range, wide_table=function >= _FIRST_TABLE)
        table = None
        if function >= _FIRST_TABLE:
            table = self._table(function - _FIRST_TABLE, dtype, clip_range, clip_signed)
        elif function in (_TANH, _SIGMOID):
            raise MalformedStream("the TANH and SIGMOID units are not simulated")
        elif function != 0:
            raise MalformedStream(f"activation function {function} does not exist")
        round_mode = RoundMode(precision["round_mode"])
        zero_point = state.get("SET_OFM_ZERO_POINT", "zero_point")
        zero_point = _signed16(zero_point) if signed else zero_point
        return OutputStage(multiplier, shift, round_mode, zero_point, limits, table, dtype, bias)

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

    def _table(self, slot: int, dtype: np.dtype[Any], clip_range: ClipRange, signed: bool) -> ActivationTable:
        eight_bit = clip_range in (ClipRange.FORCE_INT8, ClipRange.FORCE_UINT8) or dtype.itemsize == 1
        data = self._machine.shram[self._machine.configuration.lut_offset :][slot * TABLE_SLOT_BYTES :]
        table = ActivationTable(data, signed, not eight_bit, dtype.itemsize)
        if table.size_bytes > len(data):
            raise MalformedStream(f"activation table {slot} of {table.size_bytes} bytes exceeds the table memory")
        return table

    def _is_idle(self, core: int, channels: int) -> bool:
        """Whether a core reads no stream. What the registers say of it then may be from a program before."""
        return core >= channels

    @property
    def _cores(self) -> int:
        """How many weight and scale streams there are."""
        return self._machine.configuration.cores if self._state.get("SET_PARALLEL_MODE", "parallel_mode") else 1

    @property
    def _scaled_globally(self) -> bool:
        return bool(self._state.get("SET_OFM_PRECISION", "scale_mode"))

    def _global_scale(self) -> tuple[int, int]:
        if not self._scaled_globally:
            return 1, 0
        word = self._state.fields("SET_OFM_SCALE")
        return word["scale"], word["shift"]

    def _target(self, shape: tuple[int, int, int]) -> BoundMap:
        target = self._map("OFM", shape).bound
        self.elements = shape[0] * shape[1] * shape[2]
        return target

    # -- operations -------------------------------------------------------------------------------------------------

    def _convolution(self, *, depthwise: bool) -> Run:
        state, machine = self._state, self._machine
        height, width, depth = shape = self._ofm_shape()
        kernel = self._kernel()
        in_depth = depth if depthwise else state.get("SET_IFM_DEPTH_M1", "depth_m1") + 1
        self.macs = height * width * depth * kernel.height * kernel.width * (1 if depthwise else in_depth)
        if self.macs > _MAX_MACS:
            raise MalformedStream(f"{self.macs} multiplications in one operation are beyond this simulator")
        source, size, read = self._upscaled_input(kernel, height, width, in_depth)
        scale_streams = self._streams("SCALE", Channel.SCALE, depth)
        weight_streams = self._streams("WEIGHT", Channel.WEIGHTS, depth)
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
            ofm_block_depth=state.get("SET_OFM_BLK_DEPTH_M1", "depth_m1") + 1,
            ofm_microblock_depth=machine.configuration.ofm_microblock_depth,
        )
        zero_point = source.where.zero_point
        bounds = np.iinfo(source.where.dtype)
        # Padding is a value like others.
        largest = max(-int(bounds.min), int(bounds.max), abs(zero_point))
        global_scale = self._global_scale() if self._scaled_globally else None

        def constants(scale_bytes: tuple[bytes, ...], weight_bytes: tuple[bytes, ...]) -> _Constants:
            scales = parse_scales(scale_bytes, depth)
            weights = machine.weights.weights(weight_bytes, geometry)
            # The sum of w * (x - zero_point) is that of w * x, less what depends on weights only.
            bias = scales.bias - zero_point * weights.sums
            multiplier, shift = global_scale or (scales.multiplier, scales.shift)
            stage = self._output_stage(multiplier, shift, bias)
            return _Constants(scale_bytes, weight_bytes, weights, stage)

        held = constants(_contents(scale_streams), _contents(weight_streams))
        target = self._target(shape)
        convolve = convolution.convolve_depthwise if depthwise else convolution.convolve
        padded_shape = kernel.padded_shape(*size, in_depth)

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

    def _pool(self, mode: PoolingMode) -> Run:
        height, width, depth = shape = self._ofm_shape()
        stage = self._pool_stage(depth)
        if mode is PoolingMode.REDUCE_SUM:
            return self._reduce_sum(stage, shape)
        kernel = self._kernel()
        if height * width * depth * (kernel.height + kernel.width) > _MAX_MACS:
            raise MalformedStream("this pool is beyond this simulator")
        source, size, read = self._upscaled_input(kernel, height, width, depth)
        target = self._target(shape)
        self.elements *= kernel.height * kernel.width
        zero_point = source.where.zero_point
        # 4096 taps of 17 bits stay within 32.
        sum_type = np.int32 if source.where.dtype.itemsize <= 2 else np.int64
        if mode is PoolingMode.MAX or (kernel.height == kernel.width == 1 and not kernel.padded):

            def chosen() -> NDArray[Any]:
                return pooling.maximum(read(), kernel, height, width)

            return _per_element(source, chosen, _unchanged, stage, target)
        means = pooling.mean_scaling(kernel, height, width, *size) if kernel.padded else None

        def run() -> None:
            values = np.subtract(read(), zero_point, dtype=sum_type)
            sums = pooling.window_sums(values, kernel, height, width)
            _store(target, stage(), sums if means is None else means.apply(sums.astype(np.int64)))

        return run

    def _pool_stage(self, channels: int) -> Callable[[], OutputStage]:
        """Return what gives the output stage of a pool as its scales are now."""
        if self._scaled_globally:
            return _fixed(self._output_stage(*self._global_scale()))
        streams = self._streams("SCALE", Channel.SCALE, channels)

        def stage_of(content: tuple[bytes, ...]) -> OutputStage:
            scales = parse_scales(content, channels)
            return self._output_stage(scales.multiplier, scales.shift, scales.bias)

        held = _contents(streams)
        stage = stage_of(held)

        def current() -> OutputStage:
            nonlocal held, stage
            content = _contents(streams)
            if content != held:
                held, stage = content, stage_of(content)
            return stage

        return current

    def _reduce_sum(self, stage: Callable[[], OutputStage], shape: tuple[int, int, int]) -> Run:
        height, width, _ = shape
        in_depth = self._state.get("SET_IFM_DEPTH_M1", "depth_m1") + 1
        source = self._map("IFM", (height, width, in_depth))
        target = self._target(shape)
        self.elements = height * width * in_depth
        zero_points = in_depth * source.where.zero_point

        def run() -> None:
            sums = source.bound.read().sum(axis=2, keepdims=True, dtype=np.int64)
            sums -= zero_points
            _store(target, stage(), np.broadcast_to(sums, shape))

        return run

    def _elementwise(self, mode: ElementwiseMode) -> Run:
        state = self._state
        shape = self._ofm_shape()
        source = self._map("IFM", shape)
        multiplier, shift = self._global_scale()
        round_mode = RoundMode(state.get("SET_OFM_PRECISION", "round_mode"))
        stage = self._output_stage(*((1, 0) if mode in elementwise.UNSCALED else (multiplier, shift)))
        if mode in elementwise.UNARY:
            target = self._target(shape)

            def unary(a: NDArray[np.int64]) -> NDArray[Any]:
                return elementwise.unary(mode, a, multiplier, shift, round_mode)

            return _per_element(source, source.bound.read, unary, _fixed(stage), target)

        broadcast = state.fields("SET_IFM2_BROADCAST")
        swapped = bool(broadcast["operand_order"])
        scaling = OperandScaling(
            mode=ScaleMode(state.get("SET_IFM_PRECISION", "scale_mode")),
            round_mode=RoundMode(state.get("SET_IFM_PRECISION", "round_mode")),
            a_scale=state.get("SET_OPA_SCALE", "scale"),
            a_shift=state.get("SET_OPA_SCALE", "shift"),
            b_scale=state.get("SET_OPB_SCALE", "scale"),
            fraction_bits=19 if source.where.dtype.itemsize == 1 else 14,
        )
        first: Callable[[NDArray[np.int64]], NDArray[np.int64]] = scaling.first
        second: Callable[[NDArray[np.int64]], NDArray[np.int64]] = scaling.second
        if mode not in elementwise.SCALED_OPERANDS:
            first = second = _unchanged
        elif swapped:
            first, second = second, first
        if broadcast["broadcast_constant"]:
            constant = second(np.full((1, 1, 1), self._scalar(), np.int64))
            target = self._target(shape)

            def with_constant(a: NDArray[np.int64]) -> NDArray[Any]:
                return elementwise.combine(mode, first(a), constant, swapped=swapped, round_mode=round_mode)

            return _per_element(source, source.bound.read, with_constant, _fixed(stage), target)

        height, width, depth = (
            1 if broadcast[f"broadcast_{axis}"] else size for axis, size in zip("hwc", shape, strict=True)
        )
        other = self._map("IFM2", (height, width, depth))
        target = self._target(shape)
        if mode in elementwise.SHIFTS:
            read_a, read_b = source.read, other.read
        else:
            read_a, read_b = _scaled(source, first), _scaled(other, second)

        def run() -> None:
            result = elementwise.combine(mode, read_a(), read_b(), swapped=swapped, round_mode=round_mode)
            _store(target, stage, result)

        return run

    def _scalar(self) -> int:
        signed, _ = _element(self._state.fields("SET_IFM2_PRECISION"))
        scalar = self._state.get("SET_IFM2_SCALAR", "scalar")
        zero_point = self._state.get("SET_IFM2_ZERO_POINT", "zero_point")
        return _signed16(scalar) - _signed16(zero_point) if signed else scalar - zero_point

    def _copy(self) -> Run:
        """DMA. Destinations in internal memory are byte offsets in SHRAM."""
        state, machine = self._state, self._machine
        source, target = state.fields("SET_DMA0_SRC_REGION"), state.fields("SET_DMA0_DST_REGION")
        if source["stride_mode"] or target["stride_mode"]:
            raise MalformedStream("2D and 3D copies are not simulated")
        if source["region_mode"] == _INTERNAL:
            raise MalformedStream("copies from internal memory do not exist")
        length = self._address("SET_DMA0_LEN")
        if length == 0:
            return lambda: None
        region = source["region"]
        from_address = self._bases[region] + self._address("SET_DMA0_SRC")
        data = access(machine.memory, from_address, length, Channel.MEM2MEM_READ, region)
        self._count(self.read_bytes, region, length)
        to_address = self._address("SET_DMA0_DST")
        if target["region_mode"] == _INTERNAL:
            if to_address + length > len(machine.shram):
                raise MalformedStream(f"a copy of {length} bytes to {to_address:#x} exceeds the internal memory")
            destination = machine.shram[to_address : to_address + length]
        else:
            to_region = target["region"]
            to_address += self._bases[to_region]
            channel = Channel.MEM2MEM_WRITE
            destination = access(machine.memory, to_address, length, channel, to_region, writable=True)
            self._count(self.written_bytes, to_region, length)

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


def _element(precision: Mapping[str, int]) -> tuple[bool, np.dtype[Any]]:
    """Whether elements are signed, and their type."""
    signed = bool(precision["type"])
    return signed, np.dtype(f"<{'i' if signed else 'u'}{1 << precision['precision']}")


def _signed16(value: int) -> int:
    return value - (1 << 16) if value & 1 << 15 else value
