# SPDX-License-Identifier: Apache-2.0
"""The encoding of NPU commands, and the notation that `products.py` uses for them.

A command is a 32-bit word. If bit 14 is set, a payload word follows:

    31            16 15 14 13    10 9         0
    [    param     ][mode][  zero  ][  opcode  ]

A field is written "name bits", "name bits=lowest..highest", or with several ranges,
"name bits=0..1/4..5". "name bits signed" is a number in two's complement. Bits 0 to 15 are the
param, bits 16 to 47 the payload. An `address` is a number of 40 bits: the payload, and above it the
low 8 bits of the param. A `distance` is the same but signed. Bits that belong to no field must be
zero.

>>> product = Product.of("U0", [("SET_IFM_PAD_TOP", 0x100, "pad 0:6")], [])
>>> instruction = decode((0x0003_0100,), at=0, product=product)
>>> instruction.command.name, instruction.fields
('SET_IFM_PAD_TOP', {'pad': 3})
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from itertools import chain, pairwise
from typing import Any

from pilotlight.npu.stream.faults import MalformedStream

# Name, opcode, fields.
Row = tuple[str, int, str]

_ADDRESS = "address"
_DISTANCE = "distance"


@dataclass(frozen=True, slots=True)
class Field:
    """A field. gaps: values between lowest and highest that do not exist."""

    name: str
    low_bit: int
    mask: int
    lowest: int
    highest: int
    signed: bool = False
    gaps: frozenset[int] = frozenset()

    def extract(self, value: int) -> int:
        number = value >> self.low_bit & self.mask
        return number - self.mask - 1 if self.signed and number > self.mask >> 1 else number


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    opcode: int
    has_payload: bool
    fields: tuple[Field, ...]
    unused_bits: int
    is_40_bit: bool = False

    @property
    def code(self) -> int:
        """The low half of the command's first word."""
        return self.has_payload << 14 | self.opcode

    @property
    def starts_operation(self) -> bool:
        return self.name.startswith("OP_")


@dataclass(frozen=True, slots=True)
class RegisterSetup:
    """The value of `count` registers from byte `offset` of the NPU on."""

    offset: int
    count: int
    value: int


class Generation(Enum):
    """How registers describe operations: FIRST is U55 and U65, SECOND is U85."""

    FIRST = 1
    SECOND = 2


@dataclass(frozen=True, eq=False)
class Product:
    """An NPU product: its command set and other facts.

    Other code uses these facts and never compares the product's name.

    generation: how its registers describe operations.
    dma_queue, kernel_queue: number of operations that can be outstanding without a wait; inferred
        from Vela.
    peripheral_id: value of the register PIDR0.
    has_fast_scratch: whether Vela may put tensors into region 2.
    default_system: Vela's default system configuration.
    address_bits: width of an address on the NPU's bus.
    pmu_window: distance of the PMU's registers from their offsets on U55.
    event_counters: number of counters of the PMU besides the cycle counter.
    own_fault: the bit of STATUS for a fault that other products do not have.
    setup: values of the registers that a driver must set after a reset.
    config_match: the bits of CONFIG that hardware and command stream must have in common.
    """

    name: str
    by_code: Mapping[int, Command]
    generation: Generation = Generation.FIRST
    dma_queue: int = 1
    kernel_queue: int = 2
    peripheral_id: int = 0
    has_fast_scratch: bool = False
    default_system: str = ""
    address_bits: int = 32
    pmu_window: int = 0
    event_counters: int = 4
    own_fault: int = 0
    setup: tuple[RegisterSetup, ...] = ()
    config_match: int = 0

    @classmethod
    def of(cls, name: str, words: Iterable[Row], payloads: Iterable[Row], **facts: Any) -> Product:
        """Make a product. words: rows of commands without a payload; payloads: with a payload."""
        return cls(name, _commands(words, payloads), **facts)

    def derived(
        self,
        name: str,
        words: Iterable[Row] = (),
        payloads: Iterable[Row] = (),
        *,
        without: Iterable[str] = (),
        **facts: Any,
    ) -> Product:
        """Return a copy of this product with the given commands and facts replaced or added.

        without: names of commands that the copy does not have.
        """
        lost = frozenset(without)
        kept = {code: command for code, command in self.by_code.items() if command.name not in lost}
        assert len(kept) + len(lost) == len(self.by_code), "a command to leave out does not exist"
        return replace(self, name=name, by_code={**kept, **_commands(words, payloads)}, **facts)

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(self.by_code.values())

    def __str__(self) -> str:
        return self.name


class PoolingMode(Enum):
    """From SUM on, only U85 has the mode."""

    MAX = 0
    AVERAGE = 1
    REDUCE_SUM = 2
    SUM = 3
    NONE = 4
    MIN = 5
    ARGMAX_X = 6
    ARGMAX_Y = 7


class ElementwiseMode(Enum):
    """From LSR on, only U85 has the mode."""

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
    LSR = 10
    DIV = 11
    CMP_EQ = 16
    CMP_NE = 17
    CMP_GE = 18
    CMP_GT = 19
    AND = 33
    OR = 34
    XOR = 35
    NOT = 36
    AND_NOT = 42

    @property
    def unary(self) -> bool:
        return self in (ElementwiseMode.LRELU, ElementwiseMode.ABS, ElementwiseMode.CLZ, ElementwiseMode.NOT)


class RoundMode(IntEnum):
    """How a scaled value is rounded (scaling.py). The first three have U55's numbers.

    DOUBLE: twice, half away from zero, as TFLite does. TRUNCATE: towards zero. NATURAL: half up.
    DOUBLE_UP: twice, half up. SYMMETRIC: half away from zero. DOWN: towards the lower integer.
    """

    DOUBLE = 0
    TRUNCATE = 1
    NATURAL = 2
    DOUBLE_UP = 3
    SYMMETRIC = 4
    DOWN = 5


class ScaleMode(IntEnum):
    """How ADD and SUB scale their operands (IFM_PRECISION): both by 16 bits, or one by 32 bits."""

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


_FIELD = re.compile(r"(\w+) (\d+):(\d+)(?:=(\d+\.\.\d+(?:/\d+\.\.\d+)*)|( signed))?")
# Param and payload as one number: param in the low 16 bits, payload above.
_PARAM_MASK = 0xFFFF
_PAYLOAD_MASK = 0xFFFF_FFFF << 16


def _parse_fields(text: str) -> Iterator[Field]:
    for part in filter(None, text.split(", ")):
        match = _FIELD.fullmatch(part)
        assert match is not None, part
        name, low, high = match[1], int(match[2]), int(match[3])
        mask = (1 << (high - low + 1)) - 1
        ranges = [tuple(map(int, ends.split(".."))) for ends in (match[4] or f"0..{mask}").split("/")]
        between = (range(last + 1, first) for (_, last), (first, _) in pairwise(ranges))
        lowest, highest, gaps = ranges[0][0], ranges[-1][1], frozenset(chain.from_iterable(between))
        yield Field(name, low, mask, lowest, highest, signed=bool(match[5]), gaps=gaps)


def _make(row: Row, has_payload: bool) -> Command:
    name, opcode, text = row
    if text in (_ADDRESS, _DISTANCE):
        mask = (1 << 40) - 1
        # Bits 8 to 15 of the param are unused. `decode` joins the payload and the low 8 bits.
        return Command(name, opcode, True, (Field(text, 0, mask, 0, mask, text == _DISTANCE),), 0xFF00, True)
    fields = tuple(_parse_fields(text))
    used = sum(field.mask << field.low_bit for field in fields)
    unused = (_PARAM_MASK | (_PAYLOAD_MASK if has_payload else 0)) & ~used
    return Command(name, opcode, has_payload, fields, unused)


def _commands(words: Iterable[Row], payloads: Iterable[Row]) -> dict[int, Command]:
    commands = [*(_make(row, False) for row in words), *(_make(row, True) for row in payloads)]
    found = {command.code: command for command in commands}
    names = {command.name for command in commands}
    assert len(found) == len(commands) == len(names), "two commands share a name or an encoding"
    return found


class Fields(dict[str, int]):
    """The fields of a command by name. A field that the product does not have is 0."""

    def __missing__(self, field_name: str) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded command.

    at: its word index in the stream. first: the value of its first field, 0 if it has none.
    """

    command: Command
    at: int
    param: int
    payload: int
    fields: Fields
    first: int

    @property
    def size_words(self) -> int:
        return 2 if self.command.has_payload else 1

    def __str__(self) -> str:
        text = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.command.name} {text}".rstrip()


def decode(words: Sequence[int], at: int, product: Product) -> Instruction:
    """Decode the instruction whose first word is `words[at]`.

    Raises MalformedStream for an unknown opcode, a set reserved bit, a value outside the range of
    its field, or a stream that ends before the payload.
    """
    word = words[at]
    command = product.by_code.get(word & 0xFFFF)
    if command is None:
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
    fields = Fields()
    for field in command.fields:
        number = field.extract(value)
        if not field.signed and (not field.lowest <= number <= field.highest or number in field.gaps):
            reason = "no such value" if number in field.gaps else f"outside {field.lowest}..{field.highest}"
            raise MalformedStream(f"word {at}: {command.name} {field.name} is {number}, {reason}")
        fields[field.name] = number
    return Instruction(command, at, param, payload, fields, next(iter(fields.values()), 0))


def disassemble(words: Sequence[int], product: Product) -> Iterator[Instruction]:
    """Decode a whole stream, beyond the first OP_STOP up to the end."""
    at = 0
    while at < len(words):
        instruction = decode(words, at, product)
        yield instruction
        at += instruction.size_words
