# SPDX-License-Identifier: Apache-2.0
"""Whether a program remembers something from one inference to the next, from the .pte alone."""

from __future__ import annotations

from pilotlight.pte import DelegateCall, Instruction, JumpFalseCall, KernelCall, Method, MoveCall, Tensor, TensorList
from pilotlight.pte.ethos_u import parse_blob


def keeps_state(method: Method) -> bool:
    """Whether planned memory carries a value over: it has one at first, or is read before anything wrote it.

    The exporter leaves no other trace of a buffer that the model changes.
    """
    planned = {
        index for index, value in enumerate(method.values) if isinstance(value, Tensor) and value.memory is not None
    }
    if any(value.data is not None for value in map(method.values.__getitem__, planned) if isinstance(value, Tensor)):
        return True
    written = set(method.input_values)
    for chain in method.chains:
        for instruction in chain:
            reads, writes = _uses(instruction, method)
            if (reads & planned) - written:
                return True
            written |= writes
    return bool(planned.intersection(method.output_values) - written)


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
