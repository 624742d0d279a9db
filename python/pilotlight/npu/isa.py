# SPDX-License-Identifier: Apache-2.0
"""The command set of Ethos-U55 and U65, as data.

Decoder, disassembler and simulator all read `COMMANDS`; an opcode, a field's width or its legal values are written
nowhere else. A command is one 32-bit word, followed by a payload word when bit 14 is set:

    31            16 15 14 13    10 9         0
    [    param     ][mode][  zero  ][  opcode  ]

A field is written "name bits" or "name bits=lowest..highest", where bits count from 0 in the param and from 16 on in
the payload ("16:47" is the whole payload). `address` is payload and the low 8 bits of the param as one number of 40
bits, `distance` the same but signed. Bits that belong to no field must be zero.

>>> instruction = decode((0x0003_0100,), at=0, product=Product.U55)
>>> instruction.command.name, instruction.fields
('SET_IFM_PAD_TOP', {'pad': 3})
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto

from pilotlight.npu.faults import MalformedStream


class Product(Enum):
    U55 = auto()
    U65 = auto()


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    low_bit: int
    mask: int
    lowest: int
    highest: int
    signed: bool = False

    def extract(self, value: int) -> int:
        number = value >> self.low_bit & self.mask
        return number - self.mask - 1 if self.signed and number > self.mask >> 1 else number


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    opcode: int
    has_payload: bool
    products: frozenset[Product]
    fields: tuple[Field, ...]
    unused_bits: int
    is_40_bit: bool = False

    @property
    def starts_operation(self) -> bool:
        return self.name.startswith("OP_")


_BOTH = frozenset({Product.U55, Product.U65})
_U65 = frozenset({Product.U65})

_ADDRESS = "address"
_DISTANCE = "distance"

# Without payload: name, opcode, fields, products.
_WORD_COMMANDS = (
    ("OP_STOP", 0x000, "mask 0:15", _BOTH),
    ("OP_IRQ", 0x001, "mask 0:15", _BOTH),
    ("OP_CONV", 0x002, "", _BOTH),
    ("OP_DEPTHWISE", 0x003, "", _BOTH),
    ("OP_POOL", 0x005, "pooling_mode 0:2=0..2", _BOTH),
    ("OP_ELEMENTWISE", 0x006, "elementwise_mode 0:5=0..9", _BOTH),
    ("OP_DMA_START", 0x010, "", _BOTH),
    ("OP_DMA_WAIT", 0x011, "outstanding 0:0", _BOTH),
    ("OP_KERNEL_WAIT", 0x012, "outstanding 0:1", _BOTH),
    ("OP_PMU_MASK", 0x013, "enable 0:0", _BOTH),
    ("SET_IFM_PAD_TOP", 0x100, "pad 0:6", _BOTH),
    ("SET_IFM_PAD_LEFT", 0x101, "pad 0:6", _BOTH),
    ("SET_IFM_PAD_RIGHT", 0x102, "pad 0:7", _BOTH),
    ("SET_IFM_PAD_BOTTOM", 0x103, "pad 0:7", _BOTH),
    ("SET_IFM_DEPTH_M1", 0x104, "depth_m1 0:15", _BOTH),
    (
        "SET_IFM_PRECISION",
        0x105,
        "type 0:0, precision 2:3=0..2, format 6:7=0..1, scale_mode 8:9=0..2, round_mode 14:15=0..2",
        _BOTH,
    ),
    ("SET_IFM_UPSCALE", 0x107, "mode 0:1=0..2", _BOTH),
    ("SET_IFM_ZERO_POINT", 0x109, "zero_point 0:15", _BOTH),
    ("SET_IFM_WIDTH0_M1", 0x10A, "width_m1 0:15", _BOTH),
    ("SET_IFM_HEIGHT0_M1", 0x10B, "height_m1 0:15", _BOTH),
    ("SET_IFM_HEIGHT1_M1", 0x10C, "height_m1 0:15", _BOTH),
    ("SET_IFM_IB_END", 0x10D, "ib_end 0:5", _BOTH),
    ("SET_IFM_REGION", 0x10F, "region 0:2", _BOTH),
    ("SET_OFM_WIDTH_M1", 0x111, "width_m1 0:15", _BOTH),
    ("SET_OFM_HEIGHT_M1", 0x112, "height_m1 0:15", _BOTH),
    ("SET_OFM_DEPTH_M1", 0x113, "depth_m1 0:15", _BOTH),
    (
        "SET_OFM_PRECISION",
        0x114,
        "type 0:0, precision 1:2=0..2, format 6:7=0..1, scale_mode 8:8, round_mode 14:15=0..2",
        _BOTH,
    ),
    ("SET_OFM_BLK_WIDTH_M1", 0x115, "width_m1 0:5", _BOTH),
    ("SET_OFM_BLK_HEIGHT_M1", 0x116, "height_m1 0:4", _BOTH),
    ("SET_OFM_BLK_DEPTH_M1", 0x117, "depth_m1 0:6", _BOTH),
    ("SET_OFM_ZERO_POINT", 0x118, "zero_point 0:15", _BOTH),
    ("SET_OFM_WIDTH0_M1", 0x11A, "width_m1 0:15", _BOTH),
    ("SET_OFM_HEIGHT0_M1", 0x11B, "height_m1 0:15", _BOTH),
    ("SET_OFM_HEIGHT1_M1", 0x11C, "height_m1 0:15", _BOTH),
    ("SET_OFM_REGION", 0x11F, "region 0:2", _BOTH),
    ("SET_KERNEL_WIDTH_M1", 0x120, "width_m1 0:15", _BOTH),
    ("SET_KERNEL_HEIGHT_M1", 0x121, "height_m1 0:15", _BOTH),
    (
        "SET_KERNEL_STRIDE",
        0x122,
        "stride_x_lsb 0:0, stride_y_lsb 1:1, weight_order 2:2, dilation_x 3:3, dilation_y 4:4, decomposition 5:5=0..0, "
        "stride_x_msb 6:6, stride_y_msb 9:9",
        _BOTH,
    ),
    ("SET_PARALLEL_MODE", 0x123, "parallel_mode 0:0", _U65),
    ("SET_ACC_FORMAT", 0x124, "acc_format 0:1=0..2", _BOTH),
    ("SET_ACTIVATION", 0x125, "function 0:4, clip_range 12:14", _BOTH),
    ("SET_ACTIVATION_MIN", 0x126, "clip_boundary 0:15", _BOTH),
    ("SET_ACTIVATION_MAX", 0x127, "clip_boundary 0:15", _BOTH),
    ("SET_WEIGHT_REGION", 0x128, "region 0:2", _BOTH),
    ("SET_SCALE_REGION", 0x129, "region 0:2", _BOTH),
    ("SET_AB_START", 0x12D, "ab_start 0:5", _BOTH),
    ("SET_BLOCKDEP", 0x12F, "blockdep 0:1", _BOTH),
    ("SET_DMA0_SRC_REGION", 0x130, "region 0:2, region_mode 8:8, stride_mode 9:10=0..2", _BOTH),
    ("SET_DMA0_DST_REGION", 0x131, "region 0:2, region_mode 8:8, stride_mode 9:10=0..2", _BOTH),
    ("SET_DMA0_SIZE0", 0x132, "size 0:15", _U65),
    ("SET_DMA0_SIZE1", 0x133, "size 0:15", _U65),
    (
        "SET_IFM2_BROADCAST",
        0x180,
        "broadcast_h 0:0, broadcast_w 1:1, broadcast_c 2:2, operand_order 6:6, broadcast_constant 7:7",
        _BOTH,
    ),
    ("SET_IFM2_SCALAR", 0x181, "scalar 0:15", _BOTH),
    ("SET_IFM2_PRECISION", 0x185, "type 0:0, precision 2:3=0..2, format 6:7=0..1", _BOTH),
    ("SET_IFM2_ZERO_POINT", 0x189, "zero_point 0:15", _BOTH),
    ("SET_IFM2_WIDTH0_M1", 0x18A, "width_m1 0:15", _BOTH),
    ("SET_IFM2_HEIGHT0_M1", 0x18B, "height_m1 0:15", _BOTH),
    ("SET_IFM2_HEIGHT1_M1", 0x18C, "height_m1 0:15", _BOTH),
    ("SET_IFM2_IB_START", 0x18D, "ib_start 0:5", _BOTH),
    ("SET_IFM2_REGION", 0x18F, "region 0:2", _BOTH),
)

# With payload.
_PAYLOAD_COMMANDS = (
    ("SET_IFM_BASE0", 0x000, _ADDRESS, _BOTH),
    ("SET_IFM_BASE1", 0x001, _ADDRESS, _BOTH),
    ("SET_IFM_BASE2", 0x002, _ADDRESS, _BOTH),
    ("SET_IFM_BASE3", 0x003, _ADDRESS, _BOTH),
    ("SET_IFM_STRIDE_X", 0x004, _DISTANCE, _BOTH),
    ("SET_IFM_STRIDE_Y", 0x005, _DISTANCE, _BOTH),
    ("SET_IFM_STRIDE_C", 0x006, _DISTANCE, _BOTH),
    ("SET_OFM_BASE0", 0x010, _ADDRESS, _BOTH),
    ("SET_OFM_BASE1", 0x011, _ADDRESS, _BOTH),
    ("SET_OFM_BASE2", 0x012, _ADDRESS, _BOTH),
    ("SET_OFM_BASE3", 0x013, _ADDRESS, _BOTH),
    ("SET_OFM_STRIDE_X", 0x014, _DISTANCE, _BOTH),
    ("SET_OFM_STRIDE_Y", 0x015, _DISTANCE, _BOTH),
    ("SET_OFM_STRIDE_C", 0x016, _DISTANCE, _BOTH),
    ("SET_WEIGHT_BASE", 0x020, _ADDRESS, _BOTH),
    ("SET_WEIGHT_LENGTH", 0x021, "length 16:47", _BOTH),
    ("SET_SCALE_BASE", 0x022, _ADDRESS, _BOTH),
    ("SET_SCALE_LENGTH", 0x023, "length 16:35", _BOTH),
    ("SET_OFM_SCALE", 0x024, "shift 0:5, scale 16:47", _BOTH),
    ("SET_OPA_SCALE", 0x025, "shift 0:5, scale 16:47", _BOTH),
    ("SET_OPB_SCALE", 0x026, "scale 16:31", _BOTH),
    ("SET_DMA0_SRC", 0x030, _ADDRESS, _BOTH),
    ("SET_DMA0_DST", 0x031, _ADDRESS, _BOTH),
    ("SET_DMA0_LEN", 0x032, _ADDRESS, _BOTH),
    ("SET_DMA0_SKIP0", 0x033, _DISTANCE, _U65),
    ("SET_DMA0_SKIP1", 0x034, _DISTANCE, _U65),
    ("SET_IFM2_BASE0", 0x080, _ADDRESS, _BOTH),
    ("SET_IFM2_BASE1", 0x081, _ADDRESS, _BOTH),
    ("SET_IFM2_BASE2", 0x082, _ADDRESS, _BOTH),
    ("SET_IFM2_BASE3", 0x083, _ADDRESS, _BOTH),
    ("SET_IFM2_STRIDE_X", 0x084, _DISTANCE, _BOTH),
    ("SET_IFM2_STRIDE_Y", 0x085, _DISTANCE, _BOTH),
    ("SET_IFM2_STRIDE_C", 0x086, _DISTANCE, _BOTH),
    ("SET_WEIGHT1_BASE", 0x090, _ADDRESS, _U65),
    ("SET_WEIGHT1_LENGTH", 0x091, "length 16:47", _U65),
    ("SET_SCALE1_BASE", 0x092, _ADDRESS, _U65),
    ("SET_SCALE1_LENGTH", 0x093, "length 16:35", _U65),
)


class PoolingMode(IntEnum):
    MAX = 0
    AVERAGE = 1
    REDUCE_SUM = 2


class ElementwiseMode(IntEnum):
    MUL = 0
    ADD = 1
    SUB = 2
    MIN = 3
    MAX = 4
    LRELU = 5
    ABS = 6
    CLZ = 7
    SHR = 8
    SHL = 9


class RoundMode(IntEnum):
    DOUBLE = 0
    TRUNCATE = 1
    NATURAL = 2


class ScaleMode(IntEnum):
    """Which operand of ADD and SUB is scaled by 32 bits (IFM_PRECISION)."""

    OPA_OPB_16 = 0
    OPA_32 = 1
    OPB_32 = 2


class Upscale(IntEnum):
    NONE = 0
    NEAREST = 1
    ZEROS = 2


class ClipRange(IntEnum):
    OFM_PRECISION = 0
    FORCE_UINT8 = 2
    FORCE_INT8 = 3
    FORCE_INT16 = 5


_FIELD = re.compile(r"(\w+) (\d+):(\d+)(?:=(\d+)\.\.(\d+))?")
# Param and payload as one number: param in the low 16 bits, payload above.
_PARAM_MASK = 0xFFFF
_PAYLOAD_MASK = 0xFFFF_FFFF << 16


def _parse_fields(text: str) -> Iterator[Field]:
    for part in filter(None, text.split(", ")):
        match = _FIELD.fullmatch(part)
        assert match is not None, part
        name, low, high = match[1], int(match[2]), int(match[3])
        mask = (1 << (high - low + 1)) - 1
        yield Field(name, low, mask, int(match[4] or 0), int(match[5] or mask))


def _make(row: tuple[str, int, str, frozenset[Product]], has_payload: bool) -> Command:
    name, opcode, text, products = row
    if text in (_ADDRESS, _DISTANCE):
        mask = (1 << 40) - 1
        # Bits 8..15 of the param are unused; `decode` closes the gap so that the 40 bits are one number.
        return Command(name, opcode, True, products, (Field(text, 0, mask, 0, mask, text == _DISTANCE),), 0xFF00, True)
    fields = tuple(_parse_fields(text))
    used = sum(field.mask << field.low_bit for field in fields)
    unused = (_PARAM_MASK | (_PAYLOAD_MASK if has_payload else 0)) & ~used
    return Command(name, opcode, has_payload, products, fields, unused)


COMMANDS = (*(_make(row, False) for row in _WORD_COMMANDS), *(_make(row, True) for row in _PAYLOAD_COMMANDS))
BY_NAME = {command.name: command for command in COMMANDS}
_BY_CODE = {command.has_payload << 14 | command.opcode: command for command in COMMANDS}
assert len(_BY_CODE) == len(COMMANDS) == len(BY_NAME), "two commands share a name or an encoding"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded command. `at` is its word index in the stream."""

    command: Command
    at: int
    param: int
    payload: int
    fields: dict[str, int]

    @property
    def size_words(self) -> int:
        return 2 if self.command.has_payload else 1

    def __str__(self) -> str:
        text = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.command.name} {text}".rstrip()


def decode(words: Sequence[int], at: int, product: Product) -> Instruction:
    """Decode the instruction whose first word is `words[at]`.

    Raises MalformedStream for anything the product's command set does not define: an unknown opcode, a set reserved
    bit, a value outside its field's range, or a stream that ends before the payload.
    """
    word = words[at]
    command = _BY_CODE.get(word & 0xFFFF)
    if command is None or product not in command.products:
        raise MalformedStream(f"word {at}: unknown command {word:#010x}")
    param = word >> 16
    payload = 0
    if command.has_payload:
        if at + 1 >= len(words):
            raise MalformedStream(f"word {at}: {command.name} needs a payload, but the stream ends")
        payload = words[at + 1]
    value = param | payload << 16
    if value & command.unused_bits:
        raise MalformedStream(f"word {at}: {command.name} sets reserved bits ({value & command.unused_bits:#x})")
    if command.is_40_bit:
        value = payload | param << 32
    fields: dict[str, int] = {}
    for field in command.fields:
        number = field.extract(value)
        if not field.signed and not field.lowest <= number <= field.highest:
            raise MalformedStream(
                f"word {at}: {command.name} {field.name} is {number}, outside {field.lowest}..{field.highest}"
            )
        fields[field.name] = number
    return Instruction(command, at, param, payload, fields)


def disassemble(words: Sequence[int], product: Product) -> Iterator[Instruction]:
    """Decode a whole stream, up to its end (not just up to the first OP_STOP)."""
    at = 0
    while at < len(words):
        instruction = decode(words, at, product)
        yield instruction
        at += instruction.size_words
