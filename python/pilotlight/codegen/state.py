# SPDX-License-Identifier: Apache-2.0
"""What a program remembers from one inference to the next, from the .pte alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pilotlight.errors import BadProgram
from pilotlight.pte import DelegateCall, Instruction, JumpFalseCall, KernelCall, Method, MoveCall, Tensor, TensorList
from pilotlight.pte.ethos_u import parse_blob


@dataclass(frozen=True)
class InitialValue:
    """What `size_bytes` of state at `offset` are at first: the bytes of the .pte at `pte_offset`."""

    offset: int
    size_bytes: int
    pte_offset: int


@dataclass(frozen=True)
class State:
    """A planned buffer, numbered from 1, that holds the buffers which the model changes, and nothing else."""

    buffer: int
    initial_values: tuple[InitialValue, ...]


def find_state(method: Method) -> State | None:
    """Return the state of `method`, None when nothing of it has an initial value.

    Raises BadProgram when it lies among what an inference overwrites.
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
    """Whether planned memory other than `state` is read before anything wrote it.

    Exporters that give a buffer which the model changes neither an initial value nor memory of its own leave no other
    trace of it.
    """

    def places(values: Iterable[int]) -> set[tuple[int, int]]:
        # Not the tensors themselves: one that is only seen in another shape has no instruction that writes it.
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
    """Return the tensors that an instruction reads, and those that it writes."""
    if isinstance(instruction, KernelCall):
        # The last argument is the result, of which the others hold the place too.
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
