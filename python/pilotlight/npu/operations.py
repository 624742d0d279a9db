# SPDX-License-Identifier: Apache-2.0
"""What a command stream is about to do, read from the stream alone: for tables, traces and estimates.

Nothing here executes. A stream has no branches, so the operands of each operation follow from the commands before it.
Registers that a stream leaves alone count as 0, as after reset; a stream that relies on the one before it is described
wrongly, but compilers write all they use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pilotlight.npu.faults import Channel, MalformedStream
from pilotlight.npu.feature_map import BRICK_CHANNELS, FeatureMap, Shape
from pilotlight.npu.isa import BY_NAME, ElementwiseMode, Instruction, PoolingMode, Product, Upscale, decode
from pilotlight.npu.kernel import Kernel, stored_size

_FIRST_TABLE = 16
_UNARY = frozenset({ElementwiseMode.ABS, ElementwiseMode.CLZ, ElementwiseMode.LRELU})
_ACCUMULATOR_BITS = {0: 32, 1: 40, 2: 16}


@dataclass(frozen=True)
class Range:
    """Bytes of a region, read as they are."""

    region: int
    start: int
    size: int


@dataclass(frozen=True)
class Operand:
    """A feature map of an operation. shape: height, width, channels, as stored."""

    shape: Shape
    map: FeatureMap

    @property
    def extent(self) -> Range:
        """From the first byte to the last, of a map that lies behind one base address."""
        height, width, depth = self.shape
        item = self.map.dtype.itemsize
        columns = (height - 1) * self.map.stride_y + (width - 1) * self.map.stride_x
        if self.map.bricks:
            channels = (-(-depth // BRICK_CHANNELS) - 1) * self.map.stride_c + BRICK_CHANNELS * item
        else:
            channels = depth * item
        return Range(self.map.region, self.map.bases[0], columns + channels)

    @property
    def dtype(self) -> str:
        return self.map.dtype.name

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.dtype}"


@dataclass(frozen=True)
class Operation:
    """One command that moves data.

    at: word index of the command. name: as in `Executed`.
    inputs: IFM and, of binary elementwise operations, IFM2 unless it is a constant of the command.
    output: None for a copy; copied_bytes is None for all else.
    beside: of a copy, word index of the operation before it, which it need not wait for.
    constants: weights and scales, or what a copy fetches.
    block: height, width and channels of the piece of output that hardware works on at a time.
    table: whether the activation is a table. accumulator_bits: 16 stands for the floating point format.
    """

    at: int
    name: str
    inputs: tuple[Operand, ...] = ()
    output: Operand | None = None
    kernel: Kernel | None = None
    block: Shape = (1, 1, 1)
    accumulator_bits: int = 32
    table: bool = False
    copied_bytes: int | None = None
    beside: int | None = None
    constants: tuple[Range, ...] = ()

    @property
    def offset(self) -> int:
        """Byte offset of the command in the stream."""
        return 4 * self.at


class _Registers:
    """What NPU_SET commands wrote so far."""

    def __init__(self) -> None:
        self._set: dict[str, Instruction] = {}

    def accept(self, instruction: Instruction) -> None:
        self._set[instruction.command.name] = instruction

    def fields(self, name: str) -> Mapping[str, int]:
        instruction = self._set.get(f"SET_{name}")
        return {item.name: 0 for item in BY_NAME[f"SET_{name}"].fields} if instruction is None else instruction.fields

    def value(self, name: str) -> int:
        """Return the only field of a register."""
        (value,) = self.fields(name).values()
        return value


@lru_cache(maxsize=64)
def operations_of(stream: bytes, product: Product) -> tuple[Operation, ...]:
    """Describe a stream up to OP_STOP, or to the first command that is malformed or makes no sense."""
    found: list[Operation] = []
    with suppress(MalformedStream):  # Execution faults there, and says why.
        found.extend(_operations(struct.unpack_from(f"<{len(stream) // 4}I", stream), product))
    return tuple(found)


def _operations(words: tuple[int, ...], product: Product) -> Iterator[Operation]:
    registers = _Registers()
    at = 0
    under_way: int | None = None
    while at < len(words):
        instruction = decode(words, at, product)
        name = instruction.command.name
        if name == "OP_STOP":
            return
        if not instruction.command.starts_operation:
            registers.accept(instruction)
        elif name == "OP_DMA_START":
            size = registers.value("DMA0_LEN")
            yield Operation(at, "DMA_START", copied_bytes=size, beside=under_way, constants=_fetched(registers, size))
            under_way = None
        elif name == "OP_KERNEL_WAIT" and instruction.fields["outstanding"] == 0:
            under_way = None
        elif name in _DESCRIBED:
            under_way = at
            yield _DESCRIBED[name](instruction, registers)
        at += instruction.size_words


def _convolution(instruction: Instruction, registers: _Registers) -> Operation:
    kernel = _kernel(registers)
    height, width, depth = _output_shape(registers)
    depthwise = instruction.command.name == "OP_DEPTHWISE"
    in_depth = depth if depthwise else registers.value("IFM_DEPTH_M1") + 1
    return _operation(
        instruction.at,
        "DEPTHWISE" if depthwise else "CONV",
        registers,
        (_input("IFM", _window_input(registers, kernel, height, width, in_depth), registers),),
        kernel,
        tuple(_weights(registers)),
    )


def _weights(registers: _Registers) -> Iterator[Range]:
    """Yield weights and scales, of each core on an NPU of two."""
    for kind in ("WEIGHT", "SCALE"):
        region = registers.value(f"{kind}_REGION")
        for core in ("", "1"):
            if size := registers.value(f"{kind}{core}_LENGTH"):
                yield Range(region, registers.value(f"{kind}{core}_BASE"), size)


def _fetched(registers: _Registers, size: int) -> tuple[Range, ...]:
    source = registers.fields("DMA0_SRC_REGION")
    inside = source["region_mode"]  # The NPU's own memory.
    return () if inside else (Range(source["region"], registers.value("DMA0_SRC"), size),)


def _pool(instruction: Instruction, registers: _Registers) -> Operation:
    mode = PoolingMode(instruction.fields["pooling_mode"])
    height, width, depth = _output_shape(registers)
    kernel: Kernel | None = None
    if mode is PoolingMode.REDUCE_SUM:
        shape = (height, width, registers.value("IFM_DEPTH_M1") + 1)
    else:
        kernel = _kernel(registers)
        shape = _window_input(registers, kernel, height, width, depth)
    return _operation(instruction.at, f"POOL {mode.name}", registers, (_input("IFM", shape, registers),), kernel)


def _elementwise(instruction: Instruction, registers: _Registers) -> Operation:
    mode = ElementwiseMode(instruction.fields["elementwise_mode"])
    shape = _output_shape(registers)
    inputs = [_input("IFM", shape, registers)]
    broadcast = registers.fields("IFM2_BROADCAST")
    if mode not in _UNARY and not broadcast["broadcast_constant"]:
        height, width, depth = (
            1 if broadcast[f"broadcast_{axis}"] else size for axis, size in zip("hwc", shape, strict=True)
        )
        inputs.append(_input("IFM2", (height, width, depth), registers))
    return _operation(instruction.at, f"ELEMENTWISE {mode.name}", registers, tuple(inputs), None)


_DESCRIBED = {
    "OP_CONV": _convolution,
    "OP_DEPTHWISE": _convolution,
    "OP_POOL": _pool,
    "OP_ELEMENTWISE": _elementwise,
}


def _operation(
    at: int,
    name: str,
    registers: _Registers,
    inputs: tuple[Operand, ...],
    kernel: Kernel | None,
    constants: tuple[Range, ...] = (),
) -> Operation:
    block = tuple(registers.value(f"OFM_BLK_{axis}_M1") + 1 for axis in ("HEIGHT", "WIDTH", "DEPTH"))
    return Operation(
        at=at,
        name=name,
        inputs=inputs,
        output=Operand(_output_shape(registers), _map("OFM", registers)),
        kernel=kernel,
        block=(block[0], block[1], block[2]),
        accumulator_bits=_ACCUMULATOR_BITS[registers.value("ACC_FORMAT")],
        table=registers.fields("ACTIVATION")["function"] >= _FIRST_TABLE,
        constants=constants,
    )


def _output_shape(registers: _Registers) -> Shape:
    return (
        registers.value("OFM_HEIGHT_M1") + 1,
        registers.value("OFM_WIDTH_M1") + 1,
        registers.value("OFM_DEPTH_M1") + 1,
    )


def _window_input(registers: _Registers, kernel: Kernel, height: int, width: int, depth: int) -> Shape:
    in_height, in_width = kernel.input_size(height, width)
    mode = Upscale(registers.value("IFM_UPSCALE"))
    return stored_size(in_height, mode), stored_size(in_width, mode), depth


def _input(prefix: str, shape: Shape, registers: _Registers) -> Operand:
    return Operand(shape, _map(prefix, registers))


def _kernel(registers: _Registers) -> Kernel:
    word = registers.fields("KERNEL_STRIDE")
    dilation_y, dilation_x = word["dilation_y"] + 1, word["dilation_x"] + 1
    return Kernel(
        height=registers.value("KERNEL_HEIGHT_M1") // dilation_y + 1,
        width=registers.value("KERNEL_WIDTH_M1") // dilation_x + 1,
        stride_y=1 + word["stride_y_lsb"] + 2 * word["stride_y_msb"],
        stride_x=1 + word["stride_x_lsb"] + 2 * word["stride_x_msb"],
        dilation_y=dilation_y,
        dilation_x=dilation_x,
        pad_top=registers.value("IFM_PAD_TOP"),
        pad_left=registers.value("IFM_PAD_LEFT"),
        pad_bottom=registers.value("IFM_PAD_BOTTOM"),
        pad_right=registers.value("IFM_PAD_RIGHT"),
        part_kernel_first=bool(word["weight_order"]),
    )


def _map(prefix: str, registers: _Registers) -> FeatureMap:
    """Describe a map by the addresses in the stream: relative to its region."""
    precision = registers.fields(f"{prefix}_PRECISION")
    base0, base1, base2, base3 = (registers.value(f"{prefix}_BASE{tile}") for tile in range(4))
    return FeatureMap(
        channel=Channel.OFM if prefix == "OFM" else Channel.IFM,
        region=registers.value(f"{prefix}_REGION"),
        region_base=0,
        bases=(base0, base1, base2, base3),
        stride_y=registers.value(f"{prefix}_STRIDE_Y"),
        stride_x=registers.value(f"{prefix}_STRIDE_X"),
        stride_c=registers.value(f"{prefix}_STRIDE_C"),
        height0=registers.value(f"{prefix}_HEIGHT0_M1") + 1,
        height1=registers.value(f"{prefix}_HEIGHT1_M1") + 1,
        width0=registers.value(f"{prefix}_WIDTH0_M1") + 1,
        dtype=np.dtype(f"<{'i' if precision['type'] else 'u'}{1 << precision['precision']}"),
        bricks=bool(precision["format"]),
        zero_point=registers.value(f"{prefix}_ZERO_POINT"),
    )
