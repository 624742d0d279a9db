# SPDX-License-Identifier: Apache-2.0
"""One operation of a command stream, as data.

The planner, the hazard check, the cycle model, tables and traces use it. Nothing here executes an
operation or accesses memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.feature_map import BRICK_CHANNELS, Box, FeatureMap, Shape
from pilotlight.npu.stream.isa import ElementwiseMode, PoolingMode, RoundMode, ScaleMode, Upscale
from pilotlight.npu.stream.kernel import Kernel

# Memories that are not regions, which have the numbers 0 to 7: the NPU's internal memory, and from
# CHAINS on the buffers that pass a feature map from one operation to a later one inside the NPU.
INTERNAL = 8
CHAINS = 16

_WIDE_TABLE_BYTES = 2048
_NARROW_TABLE_ENTRIES = 256


def memory_name(number: int) -> str:
    """Return what a memory is called in tables and messages. number: as in FeatureMap.region.

    >>> memory_name(1), memory_name(INTERNAL), memory_name(CHAINS + 2)
    ('region 1', 'table memory', 'chain 2')
    """
    if number >= CHAINS:
        return f"chain {number - CHAINS}"
    return "table memory" if number == INTERNAL else f"region {number}"


class Kind(Enum):
    """The kinds of operation. Values are the names in tables and messages."""

    CONVOLUTION = "CONV"
    DEPTHWISE = "DEPTHWISE"
    POOL = "POOL"
    ELEMENTWISE = "ELEMENTWISE"
    RESIZE = "RESIZE"
    COPY = "DMA_START"


@dataclass(frozen=True)
class Range:
    """Adjacent bytes of a region, or of the NPU's internal memory (INTERNAL)."""

    region: int
    start: int
    size: int


@dataclass(frozen=True)
class Operand:
    """A feature map of an operation.

    shape: height, width and channels as the operation uses them.
    order: the axes of `shape` in the order of the stored map.
    flipped: the axis of the stored map whose elements are stored in reverse, None for none.
    """

    shape: Shape
    map: FeatureMap
    order: tuple[int, int, int] = (0, 1, 2)
    flipped: int | None = None

    @property
    def stored_shape(self) -> Shape:
        height, width, depth = (self.shape[axis] for axis in self.order)
        return height, width, depth

    @property
    def is_reordered(self) -> bool:
        return self.order != (0, 1, 2) or self.flipped is not None

    @property
    def is_chained(self) -> bool:
        return self.map.region >= CHAINS

    def as_computed(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the stored map in the order of `shape`."""
        if self.flipped is not None:
            stored = np.flip(stored, self.flipped)
        return stored.transpose(np.argsort(self.order))

    def offsets(self, box: Box) -> NDArray[np.int64]:
        """Return the offsets of all bytes of a box of the operation's axes.

        The order is that of the stored elements, tile by tile.
        """
        spans = [box.spans[axis] for axis in self.order]
        if self.flipped is not None:
            size = self.stored_shape[self.flipped]
            start, end = spans[self.flipped]
            spans[self.flipped] = (size - end, size - start)
        return self.map.offsets(Box(*spans[0], *spans[1], *spans[2]))

    @property
    def extent(self) -> Range:
        """The bytes from the first to the last one, for a map with a single tile."""
        height, width, depth = self.stored_shape
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
    """How ADD and SUB of U55 and U65 scale their operands.

    If the operands are swapped, the first one is IFM2.
    """

    mode: ScaleMode
    rounding: RoundMode
    a_scale: int
    a_shift: int
    b_scale: int


@dataclass(frozen=True)
class Factor:
    """A multiplication by multiplier / 2**shift. double_bits: see scaling.py."""

    multiplier: int = 1
    shift: int = 0
    rounding: RoundMode = RoundMode.DOUBLE
    double_bits: int = 0

    @property
    def is_one(self) -> bool:
        return self.multiplier == 1 and self.shift == 0


@dataclass(frozen=True)
class OperandFactors:
    """How U85 scales the operands of an elementwise operation: IFM and IFM2."""

    ifm: Factor
    ifm2: Factor


@dataclass(frozen=True)
class Table:
    """An activation table.

    start: byte offset in the memory for tables.
    wide: indexed by 16 bits, with interpolation; otherwise by 8 bits.
    signed: whether the index is signed.
    """

    start: int
    wide: bool
    signed: bool
    result_bytes: int

    @property
    def size_bytes(self) -> int:
        return _WIDE_TABLE_BYTES if self.wide else _NARROW_TABLE_ENTRIES * self.result_bytes

    @property
    def index_limits(self) -> tuple[int, int]:
        return limits_of(16 if self.wide else 8, self.signed)


@dataclass(frozen=True)
class CopyEnd:
    """One end of a copy of `rows` x `planes` pieces.

    piece: the first piece. row_stride, plane_stride: bytes between the starts of pieces.
    """

    piece: Range
    row_stride: int = 0
    plane_stride: int = 0


@dataclass(frozen=True)
class CopyIndex:
    """A list of 32-bit numbers that replace the number of the row at one end of a copy.

    of_source: whether it is the source's row (a gather) or the destination's (a scatter).
    first: the first number's place. plane_gap: additional bytes after the numbers of a plane.
    largest: the largest number that may occur.
    """

    of_source: bool
    first: Range
    plane_gap: int
    largest: int


@dataclass(frozen=True)
class Copy:
    """A DMA. index: None if the rows follow each other."""

    source: CopyEnd
    destination: CopyEnd
    rows: int = 1
    planes: int = 1
    index: CopyIndex | None = None

    @property
    def total_bytes(self) -> int:
        return self.rows * self.planes * self.source.piece.size

    @property
    def ends(self) -> tuple[CopyEnd, CopyEnd]:
        return self.source, self.destination

    @property
    def index_offsets(self) -> NDArray[np.int64]:
        """The offsets of the bytes of the list of rows."""
        assert self.index is not None
        plane_stride = self.rows * self.index.first.size + self.index.plane_gap
        planes = np.arange(self.planes)[:, None] * plane_stride
        found: NDArray[np.int64] = self.index.first.start + planes + np.arange(self.rows * self.index.first.size)
        return found.reshape(-1)

    def offsets(self, end: CopyEnd) -> NDArray[np.int64]:
        """Return the offsets of the bytes at one end, in the order in which they are copied.

        Of an end with an index, these are all bytes that any list can select.
        """
        indexed = self.index is not None and (end is self.source) == self.index.of_source
        rows = self.index.largest + 1 if self.index is not None and indexed else self.rows
        planes = np.arange(self.planes)[:, None, None] * end.plane_stride
        found: NDArray[np.int64] = (
            end.piece.start + planes + np.arange(rows)[:, None] * end.row_stride + np.arange(end.piece.size)
        )
        return found.reshape(-1)


@dataclass(frozen=True)
class ResizeAxis:
    """One axis of a resize. Output position p is at (p * numerator + offset) / denominator."""

    numerator: int
    denominator: int
    offset: int

    def position(self, output: int) -> tuple[int, int]:
        """Return the input position of an output: whole elements, and a rest in 1/denominator."""
        return divmod(output * self.numerator + self.offset, self.denominator)

    def inputs(self, start: int, end: int, size: int) -> tuple[int, int]:
        """Return the range of the `size` inputs that outputs `start` to `end` depend on."""
        first, last = self.position(start)[0], self.position(end - 1)[0] + 1
        return max(0, min(first, size - 1)), max(0, min(last, size - 1)) + 1


@dataclass(frozen=True)
class Resize:
    """The positions of a resize. bilinear: otherwise the nearest element."""

    rows: ResizeAxis
    columns: ResizeAxis
    bilinear: bool


class SecondInput(Enum):
    """What IFM2 is for."""

    OPERAND = "operand"
    WEIGHTS = "weights"
    ACCUMULATORS = "accumulators"


@dataclass(frozen=True)
class Operation:
    """A command that computes, with `ifm` and `ofm`, or that copies, with `copy`.

    at: word index of the command.
    ifm, ifm2, ofm: with region_base 0. ifm2 is None if there is one operand or a `constant`. An
        elementwise operand has size 1 on an axis on which it is repeated.
    second: what IFM2 is for.
    constant: the second operand of an elementwise operation minus its zero point.
    swapped: whether the second operand stands first, as the minuend of a subtraction.
    kernel: None for elementwise operations, REDUCE_SUM and RESIZE.
    upscale: how the IFM is enlarged before the kernel uses it.
    weights, scales: streams, one per core.
    active_cores: the number of cores that have channels. The others do not read their streams.
    fast_weights, sparse_weights: U85's second coding, and its order for 2:4 sparse weights.
    scale: of all channels; None if each channel has its own in `scales`, with the rounding of
        `rounding`.
    limits: the lowest and highest value after the zero point; None without a clip.
    wraps: whether values that the output type cannot hold lose their upper bits.
    block: height, width and channels of the output block that hardware computes at a time.
    microblock: height, width and channels of output that hardware computes in one step.
    accumulator_bits: 32, 40 or 48; 16 stands for the floating point format.
    continues: whether the accumulators start with those that the previous operation kept.
    keeps: whether the accumulators are kept for the next operation, instead of an output.
    divides: whether an average divides by the number of positions itself.
    blockdep: number of blocks of the previous operation that may be unfinished at the start.
    """

    at: int
    kind: Kind
    mode: PoolingMode | ElementwiseMode | None = None
    ifm: Operand | None = None
    ifm2: Operand | None = None
    second: SecondInput = SecondInput.OPERAND
    ofm: Operand | None = None
    constant: int | None = None
    swapped: bool = False
    kernel: Kernel | None = None
    resize: Resize | None = None
    upscale: Upscale = Upscale.NONE
    weights: tuple[Range, ...] = ()
    active_cores: int = 1
    scales: tuple[Range, ...] = ()
    fast_weights: bool = False
    sparse_weights: bool = False
    scale: Factor | None = Factor()
    operand_scales: OperandScales | OperandFactors | None = None
    rounding: Factor = Factor()
    limits: tuple[int, int] | None = None
    wraps: bool = False
    table: Table | None = None
    block: Shape = (1, 1, 1)
    microblock: Shape = (1, 1, 1)
    accumulator_bits: int = 32
    continues: bool = False
    keeps: bool = False
    divides: bool = False
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
            source = self.copy.source.piece
            return () if source.region == INTERNAL else (source,)
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
        elif self.resize is not None:
            height, width, _ = self.ifm.shape
            rows = self.resize.rows.inputs(*rows, height)
            columns = self.resize.columns.inputs(*columns, width)
        found = [(self.ifm, Box(*rows, *columns, first, last))]
        if self.ifm2 is not None:
            whole = Box(*rows, *columns, first, last) if self.second is SecondInput.OPERAND else box
            if self.second is SecondInput.WEIGHTS:
                whole = Box(0, 1, box.first, box.last, first, last)
            found.append((self.ifm2, whole))
        return tuple((operand, _repeated(operand.shape, part)) for operand, part in found)


def _repeated(shape: Shape, box: Box) -> Box:
    """Return the stored part of a box: an axis of size 1 has one element for all positions."""
    spans = [(0, 1) if size == 1 and span != (0, 0) else span for size, span in zip(shape, box.spans, strict=True)]
    return Box(*spans[0], *spans[1], *spans[2])


def _stored(span: tuple[int, int], upscale: Upscale) -> tuple[int, int]:
    return span if upscale is Upscale.NONE else (span[0] // 2, -(-span[1] // 2))


def number(stored: int, signed: bool) -> int:
    """Return the value of a 16-bit register."""
    return stored - (1 << 16) if signed and stored & 1 << 15 else stored


def limits_of(bits: int, signed: bool) -> tuple[int, int]:
    """Return the lowest and the highest integer of `bits` bits."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
