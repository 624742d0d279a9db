# SPDX-License-Identifier: Apache-2.0
"""One operation of a command stream, as data.

The planner, the hazard check, the cycle model, tables and traces use it. Nothing here executes an
operation or accesses memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pilotlight.npu.stream.feature_map import BRICK_CHANNELS, Box, FeatureMap, Shape
from pilotlight.npu.stream.isa import ClipRange, ElementwiseMode, PoolingMode, RoundMode, ScaleMode, Upscale
from pilotlight.npu.stream.kernel import Kernel

# The NPU's internal memory. Other regions have the numbers 0 to 7.
INTERNAL = 8
TABLE_SLOT_BYTES = 256

_FIRST_TABLE = 16
_WIDE_TABLE_BYTES = 2048
_NARROW_TABLE_ENTRIES = 256
_FORCED_TO_8_BIT = (ClipRange.FORCE_UINT8, ClipRange.FORCE_INT8)


class Kind(Enum):
    """The kinds of operation. Values are the names in tables and messages."""

    CONVOLUTION = "CONV"
    DEPTHWISE = "DEPTHWISE"
    POOL = "POOL"
    ELEMENTWISE = "ELEMENTWISE"
    COPY = "DMA_START"


@dataclass(frozen=True)
class Range:
    """Adjacent bytes of a region, or of the NPU's internal memory (INTERNAL)."""

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
        """The bytes from the first to the last one, for a map with a single tile."""
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

    @property
    def signed(self) -> bool:
        return self.map.dtype.kind == "i"

    @property
    def whole(self) -> Box:
        height, width, depth = self.shape
        return Box(0, height, 0, width, 0, depth)

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.dtype}"


@dataclass(frozen=True)
class OperandScales:
    """How ADD and SUB scale their operands. If the operands are swapped, the first one is IFM2."""

    mode: ScaleMode
    rounding: RoundMode
    a_scale: int
    a_shift: int
    b_scale: int


@dataclass(frozen=True)
class Table:
    """An activation table.

    slot: its place, in units of TABLE_SLOT_BYTES.
    wide: indexed by 16 bits, with interpolation; otherwise by 8 bits.
    """

    slot: int
    wide: bool
    result_bytes: int

    @property
    def size_bytes(self) -> int:
        return _WIDE_TABLE_BYTES if self.wide else _NARROW_TABLE_ENTRIES * self.result_bytes


@dataclass(frozen=True)
class Activation:
    """The activation registers. clip_range and function may have illegal values.

    low, high: clip limits as 16 stored bits. Output and clip_range tell whether they are signed.
    """

    function: int
    clip_range: int
    low: int
    high: int

    @property
    def is_table(self) -> bool:
        return self.function >= _FIRST_TABLE

    def limits(self, signed: bool) -> tuple[int, int]:
        return number(self.low, signed), number(self.high, signed)


@dataclass(frozen=True)
class Copy:
    """A DMA. stride_modes: of source and destination; 0 for adjacent bytes."""

    source: Range
    destination: Range
    stride_modes: tuple[int, int]


@dataclass(frozen=True)
class Operation:
    """A command that computes, with `ifm` and `ofm`, or that copies, with `copy`.

    at: word index of the command.
    ifm, ifm2, ofm: with region_base 0. ifm2 is None if there is one operand or a `constant`.
    constant: the second operand of an elementwise operation minus its zero point.
    swapped: whether IFM2 is the first operand.
    kernel: None for elementwise operations and REDUCE_SUM.
    upscale: how the IFM is enlarged before the kernel uses it.
    weights, scales: streams, one per core. A core without channels does not read its stream.
    scale: multiplier and shift of all channels; None if each channel has its own, in `scales`.
    rounding: of the output.
    block: height, width and channels of the output block that hardware computes at a time.
    accumulator_bits: 32 or 40; 16 stands for the floating point format.
    blockdep: number of blocks of the previous operation that may be unfinished at the start.
    """

    at: int
    kind: Kind
    mode: PoolingMode | ElementwiseMode | None = None
    ifm: Operand | None = None
    ifm2: Operand | None = None
    ofm: Operand | None = None
    constant: int | None = None
    swapped: bool = False
    kernel: Kernel | None = None
    upscale: Upscale = Upscale.NONE
    weights: tuple[Range, ...] = ()
    scales: tuple[Range, ...] = ()
    scale: tuple[int, int] | None = (1, 0)
    operand_scales: OperandScales | None = None
    rounding: RoundMode = RoundMode.DOUBLE
    activation: Activation = Activation(0, 0, 0, 0)
    block: Shape = (1, 1, 1)
    accumulator_bits: int = 32
    blockdep: int = 0
    copy: Copy | None = None

    @property
    def offset(self) -> int:
        """Byte offset of the command in the stream."""
        return 4 * self.at

    @property
    def name(self) -> str:
        return self.kind.value if self.mode is None else f"{self.kind.value} {self.mode.name}"

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """IFM, and IFM2 if it is used."""
        return tuple(operand for operand in (self.ifm, self.ifm2) if operand is not None)

    @property
    def constants(self) -> tuple[Range, ...]:
        """Weights and scales, or the source of a copy."""
        if self.copy is not None:
            return () if self.copy.source.region == INTERNAL else (self.copy.source,)
        return tuple(stream for stream in (*self.weights, *self.scales) if stream.size)

    @property
    def crosses_depth(self) -> bool:
        """Whether each output element depends on all channels of the input."""
        return self.kind is Kind.CONVOLUTION or self.mode is PoolingMode.REDUCE_SUM

    @property
    def upscaled_size(self) -> tuple[int, int]:
        """Rows and columns of the IFM after upscaling."""
        assert self.kernel is not None and self.ofm is not None
        return self.kernel.input_size(*self.ofm.shape[:2])

    @property
    def table(self) -> Table | None:
        if not self.activation.is_table:
            return None
        assert self.ofm is not None
        item = self.ofm.map.dtype.itemsize
        narrow = item == 1 or self.activation.clip_range in _FORCED_TO_8_BIT
        return Table(self.activation.function - _FIRST_TABLE, not narrow, item)

    def input_boxes(self, box: Box, first: int, last: int) -> tuple[tuple[Operand, Box], ...]:
        """Return the boxes of the stored inputs that a box of the output depends on.

        first, last: range of the input's channels.
        """
        assert self.ifm is not None
        rows, columns = (box.top, box.bottom), (box.left, box.right)
        if self.kernel is not None:
            height, width = self.upscaled_size
            rows = _stored(self.kernel.input_rows(*rows, height), self.upscale)
            columns = _stored(self.kernel.input_columns(*columns, width), self.upscale)
        found = [(self.ifm, Box(*rows, *columns, first, last))]
        if self.ifm2 is not None:
            # IFM2 has size 1 in a broadcast dimension.
            spans = zip(self.ifm2.shape, (rows, columns, (first, last)), strict=True)
            ranges = [(0, 1) if size == 1 else span for size, span in spans]
            found.append((self.ifm2, Box(*ranges[0], *ranges[1], *ranges[2])))
        return tuple(found)


def _stored(span: tuple[int, int], upscale: Upscale) -> tuple[int, int]:
    return span if upscale is Upscale.NONE else (span[0] // 2, -(-span[1] // 2))


def number(stored: int, signed: bool) -> int:
    """Return the value of a 16-bit register."""
    return stored - (1 << 16) if signed and stored & 1 << 15 else stored
