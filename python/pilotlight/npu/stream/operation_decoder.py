# SPDX-License-Identifier: Apache-2.0
"""Decodes the operations of a stream.

`decode_first.py` and `decode_second.py` alone read the registers of operands, kernels, scales and
copies, for the two generations of products.
"""

from __future__ import annotations

from functools import lru_cache

from pilotlight.npu.stream.command_state import CommandState, Step, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.decode_first import FirstDecoder
from pilotlight.npu.stream.decode_second import SecondDecoder
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import Generation, Instruction
from pilotlight.npu.stream.operations import Operation
from pilotlight.npu.stream.register_reader import KINDS, mode_of

_DECODERS: dict[Generation, type[FirstDecoder | SecondDecoder]] = {
    Generation.FIRST: FirstDecoder,
    Generation.SECOND: SecondDecoder,
}


@lru_cache(maxsize=64)
def operations_of(stream: bytes, configuration: Configuration) -> tuple[Operation, ...]:
    """Return the operations of a stream up to OP_STOP or the first malformed command.

    All registers are 0 at the start. So the operations are wrong for a stream that relies on
    registers of the previous stream. Compilers write all registers that they use.
    """
    found: list[Operation] = []
    for step in steps_of(stream, configuration.product, CommandState()):
        if isinstance(step.command, MalformedStream):
            break
        if step.name in KINDS:
            try:
                found.append(operation_at(step, configuration))
            except MalformedStream:  # Execution faults here and reports the reason.
                break
    return tuple(found)


def is_operation(step: Step) -> bool:
    """Tell whether the step's command computes or copies."""
    return step.name in KINDS


def name_of(command: Instruction) -> str:
    """Return `Operation.name` without decoding the operands."""
    mode = mode_of(command)
    kind = KINDS[command.command.name]
    return kind.value if mode is None else f"{kind.value} {mode.name}"


def operation_at(step: Step, configuration: Configuration) -> Operation:
    """Decode the operation that a step starts. Raises MalformedStream."""
    found: Operation | None = step.operations.get(configuration.name)
    if found is None:
        assert isinstance(step.command, Instruction)
        decoder = _DECODERS[configuration.product.generation]
        found = decoder(step.state, configuration).operation(step.command)
        step.operations[configuration.name] = found
    return found
