# SPDX-License-Identifier: Apache-2.0
"""Runs a command stream: keeps the state that NPU_SET commands build up, and executes NPU_OP commands on it.

Operations run whole and in order, so waits and block dependencies are without effect.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu import convolution, elementwise, pooling
from pilotlight.npu.activation import TABLE_SLOT_BYTES, ActivationTable
from pilotlight.npu.blas import single_threaded
from pilotlight.npu.configurations import Configuration
from pilotlight.npu.elementwise import OperandScaling
from pilotlight.npu.estimate import Cycles, Work, estimate
from pilotlight.npu.faults import Channel, MalformedStream
from pilotlight.npu.feature_map import FeatureMap, access
from pilotlight.npu.isa import (
    BY_NAME,
    ClipRange,
    ElementwiseMode,
    Instruction,
    PoolingMode,
    Product,
    RoundMode,
    ScaleMode,
    Upscale,
    decode,
)
from pilotlight.npu.kernel import Kernel, stored_size, upscale
from pilotlight.npu.memory import Memory
from pilotlight.npu.output_stage import OutputStage
from pilotlight.npu.weights import ScaleRecords, WeightCache, WeightGeometry, parse_scales

_FIRST_TABLE = 16
_TANH, _SIGMOID = 3, 4
_PART_KERNEL_FIRST = 1
_INTERNAL = 1

# A limit of this simulator, not of the hardware, as for feature maps: some seconds of work in one operation.
_MAX_MACS = 1 << 38

_FORCED_CLIP = {
    ClipRange.FORCE_UINT8: (0, 255),
    ClipRange.FORCE_INT8: (-128, 127),
    ClipRange.FORCE_INT16: (-(1 << 15), (1 << 15) - 1),
}


@dataclass(frozen=True)
class Executed:
    """One NPU_OP command, for traces and counters. at: word index in the stream."""

    at: int
    name: str
    work: Work
    cycles: Cycles


@dataclass
class CommandState:
    """The NPU_SET registers: each holds its last command. Zero after reset."""

    _set: dict[str, Instruction] = field(default_factory=dict)

    def accept(self, instruction: Instruction) -> None:
        self._set[instruction.command.name] = instruction

    def get(self, name: str, field_name: str) -> int:
        instruction = self._set.get(name)
        return 0 if instruction is None else instruction.fields[field_name]

    def fields(self, name: str) -> Mapping[str, int]:
        instruction = self._set.get(name)
        if instruction is None:
            return {item.name: 0 for item in BY_NAME[name].fields}
        return instruction.fields

    def words(self, name: str) -> tuple[int, int]:
        """Return (param, payload) as last written."""
        instruction = self._set.get(name)
        return (0, 0) if instruction is None else (instruction.param, instruction.payload)


@dataclass(frozen=True)
class Stopped:
    """The stream reached OP_STOP. `mask` goes to STATUS.irq_history_mask, `position` is the byte after OP_STOP."""

    mask: int
    position: int


@lru_cache(maxsize=64)
def _decoded(stream: bytes, product: Product) -> tuple[Instruction | MalformedStream, ...]:
    """Decode up to the first OP_STOP. A malformed command is the last entry: it faults when it is reached."""
    words = struct.unpack_from(f"<{len(stream) // 4}I", stream)
    found: list[Instruction | MalformedStream] = []
    at = 0
    while at < len(words):
        try:
            instruction = decode(words, at, product)
        except MalformedStream as error:
            found.append(error)
            return tuple(found)
        found.append(instruction)
        if instruction.command.name == "OP_STOP":
            return tuple(found)
        at += instruction.size_words
    found.append(MalformedStream(f"word {at}: the stream ends without OP_STOP"))
    return tuple(found)


_EXECUTED = frozenset({"OP_CONV", "OP_DEPTHWISE", "OP_POOL", "OP_ELEMENTWISE", "OP_DMA_START"})


def count_operations(stream: bytes, product: Product) -> int:
    """How many operations a stream executes, up to OP_STOP or the first malformed command."""
    commands = (item.command.name for item in _decoded(stream, product) if isinstance(item, Instruction))
    return sum(name in _EXECUTED for name in commands)


class Engine:
    """The part of the NPU behind its registers.

    on_executed is told of each operation; on_interrupt of each OP_IRQ, with its mask.
    """

    def __init__(
        self,
        configuration: Configuration,
        memory: Memory,
        *,
        weights: WeightCache | None = None,
        on_executed: Callable[[Executed], None] = lambda _: None,
        on_interrupt: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._configuration = configuration
        self._memory = memory
        self._weights = weights or WeightCache()
        self._on_executed = on_executed
        self._on_interrupt = on_interrupt
        self._bases: tuple[int, ...] = (0,) * 8
        self._read: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._operations: dict[str, Callable[[Instruction], tuple[int, int]]] = {
            "OP_CONV": lambda _: self._convolve(depthwise=False),
            "OP_DEPTHWISE": lambda _: self._convolve(depthwise=True),
            "OP_POOL": lambda i: self._pool(PoolingMode(i.fields["pooling_mode"])),
            "OP_ELEMENTWISE": lambda i: self._elementwise(ElementwiseMode(i.fields["elementwise_mode"])),
            "OP_DMA_START": lambda _: self._copy(),
        }
        self.position = 0
        self.pmu_enabled = False
        self.reset()

    def reset(self) -> None:
        self.state = CommandState()
        self.shram = np.zeros(self._configuration.shram_kib * 1024, np.uint8)

    def run(self, stream: bytes, bases: tuple[int, ...]) -> Stopped:
        """Execute up to OP_STOP. Raises NpuStop; `position` is then the byte offset of the command to blame."""
        self._bases = bases
        if len(stream) % 4 != 0:
            raise MalformedStream(f"a stream of {len(stream)} bytes is not a whole number of words")
        with single_threaded():
            return self._run(_decoded(stream, self._configuration.product))

    def _run(self, instructions: tuple[Instruction | MalformedStream, ...]) -> Stopped:
        for instruction in instructions:
            if isinstance(instruction, MalformedStream):
                raise MalformedStream(*instruction.args)
            self.position = 4 * instruction.at
            command = instruction.command
            if not command.starts_operation:
                self.state.accept(instruction)
            elif command.name in self._operations:
                self._execute(instruction)
            elif command.name == "OP_STOP":
                return Stopped(instruction.fields["mask"], self.position + 4)
            elif command.name == "OP_IRQ":
                self._on_interrupt(instruction.fields["mask"])
            elif command.name == "OP_PMU_MASK":
                self.pmu_enabled = bool(instruction.fields["enable"])
            # So that it points at the next command, should that be malformed.
            self.position += 4 * instruction.size_words
        raise AssertionError("a decoded stream ends with OP_STOP or an error")

    def _execute(self, instruction: Instruction) -> None:
        name = instruction.command.name.removeprefix("OP_")
        if instruction.command.name == "OP_POOL":
            name += " " + PoolingMode(instruction.fields["pooling_mode"]).name
        elif instruction.command.name == "OP_ELEMENTWISE":
            name += " " + ElementwiseMode(instruction.fields["elementwise_mode"]).name
        self._read, self._written = {}, {}
        try:
            macs, elements = self._operations[instruction.command.name](instruction)
        except MalformedStream as error:
            raise MalformedStream(f"word {instruction.at}: {name}: {error}") from None
        work = Work(macs, elements, self._read, self._written)
        cycles = estimate(work, self._configuration.macs_per_cycle, self._configuration.axi_bytes_per_cycle)
        self._on_executed(Executed(instruction.at, name, work, cycles))

    # -- operands ---------------------------------------------------------------------------------------------------

    def _address(self, name: str) -> int:
        return self.state.get(name, "address")

    def _map(self, prefix: str, precision: Mapping[str, int]) -> FeatureMap:
        state = self.state
        region = state.get(f"SET_{prefix}_REGION", "region")
        signed = bool(precision["type"])
        dtype = np.dtype(f"<{'i' if signed else 'u'}{1 << precision['precision']}")
        zero_point = state.get(f"SET_{prefix}_ZERO_POINT", "zero_point")
        base0, base1, base2, base3 = (self._address(f"SET_{prefix}_BASE{tile}") for tile in range(4))
        return FeatureMap(
            channel=Channel.OFM if prefix == "OFM" else Channel.IFM,
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

    def _input_map(self, prefix: str) -> FeatureMap:
        return self._map(prefix, self.state.fields(f"SET_{prefix}_PRECISION"))

    def _read_map(self, feature_map: FeatureMap, shape: tuple[int, int, int]) -> NDArray[Any]:
        values = feature_map.read(self._memory, shape)
        self._count(self._read, feature_map.region, values.nbytes)
        return values

    def _write(self, values: NDArray[Any]) -> int:
        target = self._map("OFM", self.state.fields("SET_OFM_PRECISION"))
        target.write(self._memory, values)
        self._count(self._written, target.region, values.nbytes)
        return values.size

    @staticmethod
    def _count(counter: dict[int, int], region: int, size_bytes: int) -> None:
        counter[region] = counter.get(region, 0) + size_bytes

    def _stream(self, kind: str, channel: Channel, cores: int) -> tuple[bytes, ...]:
        """Read the weight or scale streams, one per core."""
        region = self.state.get(f"SET_{kind}_REGION", "region")
        streams: list[bytes] = []
        for core in range(cores):
            name = f"SET_{kind}{core or ''}"
            address = self._bases[region] + self._address(f"{name}_BASE")
            length = self.state.get(f"{name}_LENGTH", "length")
            data = access(self._memory, address, length, channel, region) if length else np.empty(0, np.uint8)
            self._count(self._read, region, length)
            streams.append(data.tobytes())
        return tuple(streams)

    def _ofm_shape(self) -> tuple[int, int, int]:
        state = self.state
        return (
            state.get("SET_OFM_HEIGHT_M1", "height_m1") + 1,
            state.get("SET_OFM_WIDTH_M1", "width_m1") + 1,
            state.get("SET_OFM_DEPTH_M1", "depth_m1") + 1,
        )

    def _kernel(self) -> Kernel:
        state = self.state
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
        self, feature_map: FeatureMap, kernel: Kernel, out_height: int, out_width: int, depth: int
    ) -> NDArray[Any]:
        """Read the IFM of a kernel operation at its upscaled size, still with its zero point."""
        height, width = kernel.input_size(out_height, out_width)
        mode = Upscale(self.state.get("SET_IFM_UPSCALE", "mode"))
        stored = self._read_map(feature_map, (stored_size(height, mode), stored_size(width, mode), depth))
        return upscale(stored, mode, height, width, feature_map.zero_point)

    # -- output -----------------------------------------------------------------------------------------------------

    def _output_stage(self, multiplier: Any, shift: Any) -> OutputStage:
        state = self.state
        precision = state.fields("SET_OFM_PRECISION")
        signed = bool(precision["type"])
        dtype = np.dtype(f"<{'i' if signed else 'u'}{1 << precision['precision']}")
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
        return OutputStage(multiplier, shift, round_mode, zero_point, limits, table, dtype)

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
        data = self.shram[self._configuration.lut_offset :][slot * TABLE_SLOT_BYTES :]
        table = ActivationTable(data, signed, not eight_bit, dtype.itemsize)
        if table.size_bytes > len(data):
            raise MalformedStream(f"activation table {slot} of {table.size_bytes} bytes exceeds the table memory")
        return table

    @property
    def _cores(self) -> int:
        """How many weight and scale streams there are."""
        return self._configuration.cores if self.state.get("SET_PARALLEL_MODE", "parallel_mode") else 1

    def _scales(self, channels: int) -> ScaleRecords:
        return parse_scales(self._stream("SCALE", Channel.SCALE, self._cores), channels)

    @property
    def _scaled_globally(self) -> bool:
        return bool(self.state.get("SET_OFM_PRECISION", "scale_mode"))

    def _global_scale(self) -> tuple[int, int]:
        if not self._scaled_globally:
            return 1, 0
        word = self.state.fields("SET_OFM_SCALE")
        return word["scale"], word["shift"]

    # -- operations: each returns (MACs, output elements) -------------------------------------------------------------

    def _convolve(self, *, depthwise: bool) -> tuple[int, int]:
        state, configuration = self.state, self._configuration
        height, width, depth = self._ofm_shape()
        kernel = self._kernel()
        in_depth = depth if depthwise else state.get("SET_IFM_DEPTH_M1", "depth_m1") + 1
        macs = height * width * depth * kernel.height * kernel.width * (1 if depthwise else in_depth)
        if macs > _MAX_MACS:
            raise MalformedStream(f"{macs} multiplications in one operation are beyond this simulator")
        source = self._input_map("IFM")
        stored = self._upscaled_input(source, kernel, height, width, in_depth)

        scales = self._scales(depth)
        geometry = WeightGeometry(
            depthwise=depthwise,
            out_channels=depth,
            in_channels=in_depth,
            height=kernel.height,
            width=kernel.width,
            dilation_y=kernel.dilation_y,
            dilation_x=kernel.dilation_x,
            part_kernel_first=kernel.part_kernel_first,
            ifm_bits=8 * source.dtype.itemsize,
            ofm_block_depth=state.get("SET_OFM_BLK_DEPTH_M1", "depth_m1") + 1,
            ofm_microblock_depth=configuration.ofm_microblock_depth,
        )
        weights = self._weights.weights(self._stream("WEIGHT", Channel.WEIGHTS, self._cores), geometry)

        type_limits = np.iinfo(source.dtype)
        largest = max(type_limits.max - source.zero_point, source.zero_point - type_limits.min)
        values = np.subtract(stored, source.zero_point, dtype=convolution.accumulator_dtype(weights, largest))
        values = kernel.pad(values, 0)
        convolve = convolution.convolve_depthwise if depthwise else convolution.convolve
        accumulators = convolve(values, weights, kernel, height, width)

        if self._scaled_globally:
            stage = self._output_stage(*self._global_scale())
        else:
            stage = self._output_stage(scales.multiplier, scales.shift)
        return macs, self._write(stage.apply(accumulators, scales.bias))

    def _pool(self, mode: PoolingMode) -> tuple[int, int]:
        height, width, depth = self._ofm_shape()
        source = self._input_map("IFM")
        bias: NDArray[np.float64] | None = None
        if self._scaled_globally:
            stage = self._output_stage(*self._global_scale())
        else:
            scales = self._scales(depth)
            stage, bias = self._output_stage(scales.multiplier, scales.shift), scales.bias
        if mode is PoolingMode.REDUCE_SUM:
            in_depth = self.state.get("SET_IFM_DEPTH_M1", "depth_m1") + 1
            stored = self._read_map(source, (height, width, in_depth))
            sums = stored.sum(axis=2, keepdims=True, dtype=np.int64) - in_depth * source.zero_point
            self._write(stage.apply(np.broadcast_to(sums, (height, width, depth)), bias))
            return 0, stored.size
        kernel = self._kernel()
        if height * width * depth * (kernel.height + kernel.width) > _MAX_MACS:
            raise MalformedStream("this pool is beyond this simulator")
        stored = self._upscaled_input(source, kernel, height, width, depth)
        # 4096 taps of 17 bits stay within 32.
        sum_type = np.int32 if source.dtype.itemsize <= 2 else np.int64
        if mode is PoolingMode.MAX:
            accumulators = pooling.maximum(stored, kernel, height, width)
            accumulators = np.subtract(accumulators, source.zero_point, dtype=sum_type)
        else:
            values = np.subtract(stored, source.zero_point, dtype=sum_type)
            accumulators = pooling.window_sums(values, kernel, height, width)
            if kernel.padded:
                accumulators = pooling.divide_by_count(accumulators, kernel, stored.shape[0], stored.shape[1])
        elements = self._write(stage.apply(accumulators, bias))
        return 0, elements * kernel.height * kernel.width

    def _elementwise(self, mode: ElementwiseMode) -> tuple[int, int]:
        state = self.state
        shape = self._ofm_shape()
        source = self._input_map("IFM")
        multiplier, shift = self._global_scale()
        round_mode = RoundMode(state.get("SET_OFM_PRECISION", "round_mode"))
        a = np.subtract(self._read_map(source, shape), source.zero_point, dtype=np.int64)
        if mode in elementwise.UNARY:
            result = elementwise.unary(mode, a, multiplier, shift, round_mode)
        else:
            b, swapped = self._second_operand(shape)
            scaling = OperandScaling(
                mode=ScaleMode(state.get("SET_IFM_PRECISION", "scale_mode")),
                round_mode=RoundMode(state.get("SET_IFM_PRECISION", "round_mode")),
                a_scale=state.get("SET_OPA_SCALE", "scale"),
                a_shift=state.get("SET_OPA_SCALE", "shift"),
                b_scale=state.get("SET_OPB_SCALE", "scale"),
                fraction_bits=19 if source.dtype.itemsize == 1 else 14,
            )
            result = elementwise.combine(mode, a, b, scaling, swapped=swapped, round_mode=round_mode)
        if mode in elementwise.UNSCALED:
            multiplier, shift = 1, 0
        return 0, self._write(self._output_stage(multiplier, shift).apply(result))

    def _second_operand(self, shape: tuple[int, int, int]) -> tuple[NDArray[np.int64], bool]:
        state = self.state
        broadcast = state.fields("SET_IFM2_BROADCAST")
        source = self._input_map("IFM2")
        swapped = bool(broadcast["operand_order"])
        if broadcast["broadcast_constant"]:
            scalar = state.get("SET_IFM2_SCALAR", "scalar")
            scalar = _signed16(scalar) if source.dtype.kind == "i" else scalar
            return np.full((1, 1, 1), scalar - source.zero_point, np.int64), swapped
        height, width, depth = (
            1 if broadcast[f"broadcast_{axis}"] else size for axis, size in zip("hwc", shape, strict=True)
        )
        stored = self._read_map(source, (height, width, depth))
        return np.subtract(stored, source.zero_point, dtype=np.int64), swapped

    def _copy(self) -> tuple[int, int]:
        """DMA. Destinations in internal memory are byte offsets in SHRAM."""
        state = self.state
        source, target = state.fields("SET_DMA0_SRC_REGION"), state.fields("SET_DMA0_DST_REGION")
        if source["stride_mode"] or target["stride_mode"]:
            raise MalformedStream("2D and 3D copies are not simulated")
        if source["region_mode"] == _INTERNAL:
            raise MalformedStream("copies from internal memory do not exist")
        length = self._address("SET_DMA0_LEN")
        if length == 0:
            return 0, 0
        region = source["region"]
        from_address = self._bases[region] + self._address("SET_DMA0_SRC")
        data = access(self._memory, from_address, length, Channel.MEM2MEM_READ, region)
        self._count(self._read, region, length)
        to_address = self._address("SET_DMA0_DST")
        if target["region_mode"] == _INTERNAL:
            if to_address + length > len(self.shram):
                raise MalformedStream(f"a copy of {length} bytes to {to_address:#x} exceeds the internal memory")
            self.shram[to_address : to_address + length] = data
            return 0, 0
        to_region = target["region"]
        to_address += self._bases[to_region]
        access(self._memory, to_address, length, Channel.MEM2MEM_WRITE, to_region, writable=True)[...] = data
        self._count(self._written, to_region, length)
        return 0, 0


def _signed16(value: int) -> int:
    return value - (1 << 16) if value & 1 << 15 else value
