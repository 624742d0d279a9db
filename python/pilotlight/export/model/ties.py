# SPDX-License-Identifier: Apache-2.0
"""Checks `ModelSpec.tied`: first names and shapes, later what quantisation made of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pilotlight.bundle import TensorInfo, Tie, tie_blocks
from pilotlight.errors import ModelError
from pilotlight.model_spec import Tied

_SHARED_RANGE = (
    "compute torch.cat((cache, new), axis) in forward and use only its result, so that both get one range; "
    "return `new` itself"
)


def tensors_of_graph(graph: Any) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """Return inputs and outputs of a captured graph, as they are before quantisation."""
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    (result,) = (node for node in graph.graph.nodes if node.op == "output")
    values = result.args[0]
    outputs = list(values) if isinstance(values, tuple | list) else [values]
    names = output_names(len(outputs))
    return (
        tuple(_described(node, node.name) for node in inputs),
        tuple(_described(node, name) for node, name in zip(outputs, names, strict=True)),
    )


def output_names(count: int) -> list[str]:
    """Return the names of a program's outputs."""
    return ["output"] if count == 1 else [f"output_{index}" for index in range(count)]


def resolve_ties(
    tied: Sequence[Tied], inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], file: str
) -> tuple[Tie, ...]:
    """Return the ties with indices for names.

    Raises ModelError if a name is unknown, two ties have one input, or the shapes do not fit.
    """
    ties: list[Tie] = []
    for pair in tied:
        if not isinstance(pair, Tied):
            raise ModelError(f"{file}: tied holds {pair!r}, which is not a Tied", hint="Tied(output, input, axis)")
        output = _index(pair.output, outputs, "output", file)
        target = _index(pair.input, inputs, "input", file)
        axis = pair.axis
        if axis is not None:
            rank = len(inputs[target].shape)
            axis = axis + rank if -rank <= axis < 0 else axis
        tie = Tie(output, target, axis)
        if any(target == other.input for other in ties):
            raise ModelError(f"{file}: two outputs are tied to input {inputs[target].name!r}", hint="remove one")
        try:
            tie_blocks(tie, outputs[output], inputs[target])
        except ValueError as error:
            raise ModelError(
                f"{file}: {_pair(tie, inputs, outputs)} are tied, but {error}",
                hint="a row has the input's shape, but size 1 along `axis`; without an axis both shapes are equal",
            ) from error
        ties.append(tie)
    return tuple(ties)


def demand_equal_ranges(
    ties: Sequence[Tie], inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], file: str
) -> None:
    """Raise ModelError unless a copy from each tied output to its input keeps every value."""
    for tie in ties:
        source, target = outputs[tie.output], inputs[tie.input]
        pair = _pair(tie, inputs, outputs)
        if source.dtype != target.dtype:
            raise ModelError(
                f"{file}: {pair} are tied, but on the device one is {source.dtype}, the other {target.dtype}",
                hint=_SHARED_RANGE,
            )
        if (source.scale, source.zero_point) != (target.scale, target.zero_point):
            raise ModelError(
                f"{file}: {pair} are tied, but the output has scale {source.scale:.6g} and zero point "
                f"{source.zero_point}, the input {target.scale:.6g} and {target.zero_point}",
                hint=_SHARED_RANGE,
            )
        try:
            tie_blocks(tie, source, target)
        except ValueError as error:
            raise ModelError(
                f"{file}: {pair} are tied, but {error}", hint="give both the same layout, see 'Memory layout'"
            ) from error


def _index(wanted: int | str, tensors: Sequence[TensorInfo], side: str, file: str) -> int:
    names = [tensor.name for tensor in tensors]
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if type(wanted) is int and 0 <= wanted < len(tensors):
        return wanted
    raise ModelError(
        f"{file}: tied names {side} {wanted!r}, which the model does not have", hint=f"{side}s: {', '.join(names)}"
    )


def _pair(tie: Tie, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> str:
    return f"{outputs[tie.output].name!r} and input {inputs[tie.input].name!r}"


def _described(node: Any, name: str) -> TensorInfo:
    value = node.meta["val"]
    dtype = str(value.dtype).removeprefix("torch.")
    # The layout is that of the lowered program; here only shapes count.
    return TensorInfo(name, dtype, tuple(int(size) for size in value.shape), 0.0, 0)
