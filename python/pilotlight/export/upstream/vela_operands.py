# SPDX-License-Identifier: Apache-2.0
"""Changes operands in the TOSA graph where Vela would read them wrongly (docs/FINDINGS.md).

Vela 5.1 computes MATMUL for Ethos-U55 and U65 as MUL and REDUCE_SUM. If the first operand is a part
of a tensor, like the query in a fused projection of an attention, the commands read the whole
tensor or always its first rows. A copy of the part as a tensor of its own avoids this.

Vela also fuses ADD, RESCALE, RESHAPE and CLAMP, as in `linear(relu(a + b))`, and then reads ADD's
operands in the shape after the RESHAPE. With CLAMP before RESHAPE, Vela reads the operands
correctly, and the values are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tosa_serializer
from executorch.backends.arm.operators.node_visitor import NodeVisitor

# Operators that Vela may replace by another way of reading their input.
_MOVES = (tosa_serializer.Op.RESHAPE, tosa_serializer.Op.TRANSPOSE, tosa_serializer.Op.SLICE, tosa_serializer.Op.TILE)
_INT8_RANGE = ([0x80], [0x7F])


@contextmanager
def copied_operands() -> Iterator[None]:
    """Change the TOSA graphs that are written during the block, as this module describes."""
    serialise = NodeVisitor._serialize_operator
    graphs: list[Any] = []
    made_by: dict[str, tuple[Any, str]] = {}
    shapes: dict[str, str] = {}

    def serialise_with_copy(
        self: Any,
        node: Any,
        tosa_graph: Any,
        tosa_op: Any,
        inputs: list[str],
        outputs: list[str],
        attributes: Any = None,
    ) -> None:
        if not graphs or graphs[-1] is not tosa_graph:
            graphs.append(tosa_graph)
            made_by.clear()
            shapes.clear()
        if tosa_op == tosa_serializer.Op.MATMUL and _is_part(inputs[0], made_by):
            tensor = tosa_graph.currRegion.currBasicBlock.tensors[inputs[0]]
            if tensor.dtype == tosa_serializer.DType.INT8:
                copied = tosa_graph.addIntermediate(list(tensor.shape), tensor.dtype)
                attribute = tosa_serializer.TosaSerializerAttribute()
                attribute.ClampAttribute(*_INT8_RANGE, tosa_serializer.NanPropagationMode.PROPAGATE)
                serialise(self, node, tosa_graph, tosa_serializer.Op.CLAMP, [inputs[0]], [copied.name], attribute)
                inputs = [copied.name, *inputs[1:]]
        before = made_by.get(inputs[0], (None, "")) if inputs else (None, "")
        if tosa_op == tosa_serializer.Op.CLAMP and before[0] == tosa_serializer.Op.RESHAPE:
            shape, source = shapes[inputs[0]], before[1]
            tensor = tosa_graph.currRegion.currBasicBlock.tensors[source]
            clamped = tosa_graph.addIntermediate(list(tensor.shape), tensor.dtype)
            serialise(self, node, tosa_graph, tosa_op, [source], [clamped.name], attributes)
            made_by[clamped.name] = (tosa_op, source)
            tosa_op, inputs = tosa_serializer.Op.RESHAPE, [clamped.name, shape]
            attributes = tosa_serializer.TosaSerializerAttribute()
            attributes.ReshapeAttribute()
        if tosa_op == tosa_serializer.Op.RESHAPE:
            shapes[outputs[0]] = inputs[1]
        for output in outputs:
            made_by[output] = (tosa_op, inputs[0] if inputs else "")
        serialise(self, node, tosa_graph, tosa_op, inputs, outputs, attributes)

    NodeVisitor._serialize_operator = serialise_with_copy
    try:
        yield
    finally:
        NodeVisitor._serialize_operator = serialise


def _is_part(name: str, made_by: dict[str, tuple[Any, str]]) -> bool:
    """Whether a SLICE made the tensor, possibly followed by other operators that only move data."""
    operator, source = made_by.get(name, (None, ""))
    while operator in _MOVES:
        if operator == tosa_serializer.Op.SLICE:
            return True
        operator, source = made_by.get(source, (None, ""))
    return False
