# SPDX-License-Identifier: Apache-2.0
"""Tied inputs of a program: where they lie, and what a step copies into them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pilotlight.bundle import ModelInfo, Tie, TieBlocks, tie_blocks
from pilotlight.errors import BadProgram
from pilotlight.pte import Method, Tensor

_EXPORT_AGAIN = "export with this version of pilotlight, which gives tied inputs a planned buffer of their own"


def described_ties(info: ModelInfo) -> list[tuple[Tie, TieBlocks]]:
    """Return each tie of a model with its copy, as the descriptor has them."""
    return [(tie, tie_blocks(tie, info.outputs[tie.output], info.inputs[tie.input])) for tie in info.ties]


def tied_buffer(method: Method, ties: Sequence[Tie]) -> int:
    """Return the number, from 1, of the planned buffer that holds the tied inputs and nothing else.

    0: there are none.

    Raises BadProgram if an inference would overwrite a tied input.
    """
    if not ties:
        return 0
    indices = {method.input_values[tie.input] for tie in ties}
    places: list[tuple[int, int, int]] = []
    for index in indices:
        value = method.values[index]
        if not isinstance(value, Tensor) or value.memory is None:
            raise BadProgram(
                f"tied input {method.input_values.index(index)} has no place in the memory plan", hint=_EXPORT_AGAIN
            )
        places.append((*value.memory, value.size_bytes))
    places.sort()
    buffer = places[0][0]
    others = (
        value.memory[0]
        for index, value in enumerate(method.values)
        if index not in indices and isinstance(value, Tensor) and value.memory is not None
    )
    overlap = any(at + size > following for (_, at, size), (_, following, _) in pairwise(places))
    if any(place[0] != buffer for place in places) or buffer in others or overlap:
        raise BadProgram(
            f"tied inputs of method {method.name} lie in planned buffer {buffer} beside other tensors, which an "
            "inference overwrites",
            hint=_EXPORT_AGAIN,
        )
    return buffer
