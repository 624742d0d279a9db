# SPDX-License-Identifier: Apache-2.0
"""The registers that NPU_SET commands write, and their values at each step of a stream.

The only branches that are followed are unconditional. So the registers at each operation follow
from the stream and from the registers before it. The content of memory has no effect on them.
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
# A limit of this simulator, not of the hardware: a loop must end.
_MOST_BRANCHES = 256


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

    @cached_property
    def name(self) -> str:
        return self.command.command.name if isinstance(self.command, Instruction) else ""

    @property
    def fields(self) -> Mapping[str, int]:
        return self.command.fields if isinstance(self.command, Instruction) else {}


@lru_cache(maxsize=64)
def decoded(stream: bytes, product: Product) -> tuple[Instruction | MalformedStream, ...]:
    """Decode a stream up to the first OP_STOP, and follow its branches.

    If a command is malformed, the last entry is its error. Execution faults when it reaches it.
    """
    words = struct.unpack_from(f"<{len(stream) // _WORD_BYTES}I", stream)
    found: list[Instruction | MalformedStream] = []
    at = branches = 0
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
        if instruction.command.name == "OP_BRANCH":
            branches += 1
            try:
                at = _target(instruction, len(words), branches)
            except MalformedStream as error:
                found[-1] = error
                return tuple(found)
    found.append(MalformedStream(f"word {at}: the stream ends without OP_STOP"))
    return tuple(found)


def _target(branch: Instruction, words: int, branches: int) -> int:
    """Return the word index to which a branch leads. words: length of the stream.

    branches: number of branches up to this one. Raises MalformedStream.
    """
    at, target = branch.at, branch.fields["branch_target"]
    if branch.fields["branch_cond"]:
        raise MalformedStream(f"word {at}: OP_BRANCH on a condition, which nothing is known to set")
    if target % _WORD_BYTES or target >= _WORD_BYTES * words:
        raise BadBranch(f"word {at}: OP_BRANCH to byte {target} of a stream of {_WORD_BYTES * words} bytes")
    if branches > _MOST_BRANCHES:
        raise MalformedStream(f"word {at}: OP_BRANCH: more than {_MOST_BRANCHES} branches are beyond this simulator")
    return target // _WORD_BYTES


@lru_cache(maxsize=64)
def steps_of(stream: bytes, product: Product, state: CommandState) -> Sequence[Step]:
    """Return the steps of a stream that starts with the registers of `state`."""
    steps: list[Step] = []
    registers = dict(state.registers)
    position = 0
    for command in decoded(stream, product):
        if isinstance(command, Instruction) and not command.command.starts_operation:
            registers[command.command.name] = command
        else:
            steps.append(Step(position, command, CommandState(dict(registers))))
        if isinstance(command, Instruction):
            position = 4 * (command.at + command.size_words)
    return steps
