# SPDX-License-Identifier: Apache-2.0
"""Finds the state that a program keeps from one inference to the next, from the .pte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pilotlight.errors import BadProgram
from pilotlight.pte import DelegateCall, Instruction, JumpFalseCall, KernelCall, Method, MoveCall, Tensor, TensorList
from pilotlight.pte.ethos_u import parse_blob


@dataclass(frozen=True)
class InitialValue:
    """The initial value of `size_bytes` of state at `offset`: the .pte's bytes at `pte_offset`."""

    offset: int
    size_bytes: int
    pte_offset: int


@dataclass(frozen=True)
class State:
    """A planned buffer, numbered from 1, that holds only the buffers that the model changes."""

    buffer: int
    initial_values: tuple[InitialValue, ...]


def find_state(method: Method) -> State | None:
    """Return the state of `method`, or None if no planned tensor has an initial value.

    Raises BadProgram if an inference would overwrite the state.
    """
    found: dict[int, set[InitialValue]] = {}
    for value in method.values:
        if isinstance(value, Tensor) and value.memory is not None and value.initial_at is not None:
            buffer, offset = value.memory
            found.setdefault(buffer, set()).add(InitialValue(offset, value.size_bytes, value.initial_at))
    if not found:
        return None
    buffer = next(iter(found))
    ends = (*method.input_values, *method.output_values)
    for index, value in enumerate(method.values):
        if not isinstance(value, Tensor) or value.memory is None or value.memory[0] not in found:
            continue
        if len(found) > 1 or value.initial_at is None or index in ends:
            raise BadProgram(
                f"state of method {method.name} lies in planned buffer {value.memory[0]} beside other tensors, which "
                "are overwritten",
                hint="export with this version of pilotlight, which gives state a planned buffer of its own",
            )
    return State(buffer, tuple(sorted(found[buffer], key=lambda value: value.offset)))


def carries_over(method: Method, state: State | None) -> bool:
    """Whether the program reads planned memory outside `state` before writing that memory.

    Some exporters give a buffer that the model changes neither an initial value nor memory of its
    own. Such a read is then the only sign of state.
    """

    def places(values: Iterable[int]) -> set[tuple[int, int]]:
        # Compare places, not tensors: no instruction writes a tensor that is only a view of
        # another.
        tensors = (value for index in values if isinstance(value := method.values[index], Tensor))
        found = {tensor.memory for tensor in tensors if tensor.memory is not None}
        return {place for place in found if state is None or place[0] != state.buffer}

    written = places(method.input_values)
    for chain in method.chains:
        for instruction in chain:
            reads, writes = _uses(instruction, method)
            if places(reads) - written:
                return True
            written |= places(writes)
    return bool(places(method.output_values) - written)


def _uses(instruction: Instruction, method: Method) -> tuple[set[int], set[int]]:
    """Return the indices of the tensors that an instruction reads, and of those that it writes."""
    if isinstance(instruction, KernelCall):
        # The last argument is the result. The result may also stand among the other arguments.
        writes = _tensors(instruction.arguments[-1:], method)
        reads = _tensors(instruction.arguments, method) - writes
        name = instruction.operator.partition("::")[2].partition(".")[0]
        return (reads | writes if name.endswith("_") and name != "copy_" else reads), writes
    if isinstance(instruction, DelegateCall):
        inputs = len(parse_blob(method.delegates[instruction.delegate].blob).inputs)
        return _tensors(instruction.arguments[:inputs], method), _tensors(instruction.arguments[inputs:], method)
    if isinstance(instruction, MoveCall):
        return _tensors((instruction.source,), method), _tensors((instruction.destination,), method)
    if isinstance(instruction, JumpFalseCall):
        return _tensors((instruction.condition,), method), set()
    return set(), set()


def _tensors(arguments: tuple[int, ...], method: Method) -> set[int]:
    found: set[int] = set()
    for index in arguments:
        value = method.values[index]
        if isinstance(value, Tensor):
            found.add(index)
        elif isinstance(value, TensorList):
            found.update(item for item in value.items if item >= 0)
    return found
