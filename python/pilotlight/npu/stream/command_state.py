# SPDX-License-Identifier: Apache-2.0
"""The registers that NPU_SET commands write, and their values at each step of a stream.

Between two branches, the registers at each operation follow from the stream and from the registers
before it. The content of memory has no effect on them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from pilotlight.npu.stream.faults import BadBranch, MalformedStream
from pilotlight.npu.stream.isa import Fields, Instruction, Product, decode

_RESET = Fields()

_WORD_BYTES = 4
_STOP, _BRANCH = "OP_STOP", "OP_BRANCH"
# A limit of this simulator, not of the hardware: parts of a stream between branches.
_MOST_BLOCKS = 256


@dataclass(frozen=True, eq=False)
class CommandState:
    """The last command of each register. The object does not change.

    A register without a command is 0, as after a reset. A register that the product lacks is also
    0.
    """

    registers: dict[str, Instruction] = field(default_factory=dict)

    def get(self, name: str, field_name: str) -> int:
        return self.fields(name)[field_name]

    def fields(self, name: str) -> Fields:
        instruction = self.registers.get(name)
        return _RESET if instruction is None else instruction.fields

    def words(self, name: str) -> tuple[int, int]:
        """Return (param, payload) as last written."""
        instruction = self.registers.get(name)
        return (0, 0) if instruction is None else (instruction.param, instruction.payload)

    @cached_property
    def key(self) -> frozenset[tuple[str, int, int]]:
        """A key that is equal for equal states."""
        return frozenset((name, item.param, item.payload) for name, item in self.registers.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommandState) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True)
class Step:
    """A command other than NPU_SET, or an error of the stream, and the registers before it.

    position: byte offset in the stream.
    """

    position: int
    command: Instruction | MalformedStream
    state: CommandState
    # What operation_decoder.py made of this step, by name of the configuration.
    operations: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def at(self) -> int:
        """The command's word index, 0 for an error."""
        return self.command.at if isinstance(self.command, Instruction) else 0

    @cached_property
    def name(self) -> str:
        return self.command.command.name if isinstance(self.command, Instruction) else ""

    @property
    def fields(self) -> Mapping[str, int]:
        return self.command.fields if isinstance(self.command, Instruction) else {}


@lru_cache(maxsize=256)
def decoded(stream: bytes, product: Product, start: int = 0) -> tuple[Instruction | MalformedStream, ...]:
    """Decode a stream from word `start` up to the first OP_STOP or OP_BRANCH.

    If a command is malformed, the last entry is its error. Execution faults when it reaches it.
    """
    words = struct.unpack_from(f"<{len(stream) // _WORD_BYTES}I", stream)
    found: list[Instruction | MalformedStream] = []
    at = start
    while at < len(words):
        try:
            instruction = decode(words, at, product)
            if instruction.command.name == _BRANCH:
                _check_target(instruction, len(words))
        except MalformedStream as error:
            found.append(error)
            return tuple(found)
        found.append(instruction)
        if instruction.command.name in (_STOP, _BRANCH):
            return tuple(found)
        at += instruction.size_words
    found.append(MalformedStream(f"word {at}: the stream ends without OP_STOP"))
    return tuple(found)


def _check_target(branch: Instruction, words: int) -> None:
    target = branch.fields["branch_target"]
    if target % _WORD_BYTES or target >= _WORD_BYTES * words:
        raise BadBranch(f"word {branch.at}: OP_BRANCH to byte {target} of a stream of {_WORD_BYTES * words} bytes")


@lru_cache(maxsize=256)
def block_of(stream: bytes, product: Product, state: CommandState, start: int = 0) -> Sequence[Step]:
    """Return the steps from word `start` up to the first OP_STOP, OP_BRANCH or error.

    state: the registers at the start.
    """
    steps: list[Step] = []
    registers = dict(state.registers)
    position = _WORD_BYTES * start
    for command in decoded(stream, product, start):
        if isinstance(command, Instruction) and not command.command.starts_operation:
            registers[command.command.name] = command
        else:
            steps.append(Step(position, command, CommandState(dict(registers))))
        if isinstance(command, Instruction):
            position = _WORD_BYTES * (command.at + command.size_words)
    return steps


def next_block(branch: Step, taken: bool) -> int:
    """Return the word index at which a stream goes on after OP_BRANCH."""
    assert isinstance(branch.command, Instruction)
    if taken or not branch.fields["branch_cond"]:
        return branch.fields["branch_target"] // _WORD_BYTES
    return branch.command.at + branch.command.size_words


@lru_cache(maxsize=64)
def steps_of(stream: bytes, product: Product, state: CommandState) -> Sequence[Step]:
    """Return the steps of all parts of a stream that can be reached, in the order of the stream.

    state: the registers at the start. A part that can be reached in several ways has the registers
    of the first way that was found. A compiler sets the registers again at the start of a part.
    """
    blocks: dict[int, Sequence[Step]] = {}
    ways = [(0, state)]
    while ways and len(blocks) < _MOST_BLOCKS:
        start, before = ways.pop()
        if start not in blocks:
            block = blocks[start] = block_of(stream, product, before, start)
            last = block[-1]
            if last.name == _BRANCH:
                ways += [(next_block(last, taken), last.state) for taken in (True, False)]
    return [step for start in sorted(blocks) for step in blocks[start]]
