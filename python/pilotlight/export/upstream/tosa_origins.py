# SPDX-License-Identifier: Apache-2.0
"""Records the origin of each TOSA operator while ExecuTorch writes the TOSA graph.

ExecuTorch can write this into the graph itself, but then Vela and the reference model would get
another graph. So we wrap the one method that writes operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from executorch.backends.arm.operators.node_visitor import NodeVisitor

from pilotlight.export.graph.source_lines import library_line, user_line
from pilotlight.export.graph.user_operators import module_path


@dataclass(frozen=True)
class TosaOrigin:
    """The origin of one TOSA operator.

    operator: TOSA's name, "CONV2D". tensor: name of its first output.
    module, where, source, inner_where, inner_source: as in `OperatorReport`.
    inputs: names of its input tensors. grid: scale and zero point of its output, None if unknown.
    nodes: the nodes that PyTorch derived it from, each with the id() of its graph. The nodes of a
        table include no node of the user's graph.
    """

    operator: str
    tensor: str
    module: str
    where: str
    source: str
    inputs: tuple[str, ...] = ()
    grid: tuple[float, int] | None = None
    nodes: frozenset[tuple[int, str]] = frozenset()
    inner_where: str = ""
    inner_source: str = ""


# Index of the operator in the graph, constants included -> origin. Vela's debug database calls this
# index the external key.
Origins = dict[int, TosaOrigin]


@dataclass(frozen=True)
class WrittenGraph:
    """A TOSA graph that is being written. serializer: tosa_serializer.TosaSerializer."""

    serializer: Any
    origins: Origins


@contextmanager
def recorded_graphs() -> Iterator[list[WrittenGraph]]:
    """Collect all TOSA graphs written during the block, with the origins of their operators."""
    graphs: list[WrittenGraph] = []
    serialise = NodeVisitor._serialize_operator

    def serialise_and_record(
        self: Any,
        node: Any,
        tosa_graph: Any,
        tosa_op: Any,
        inputs: list[str],
        outputs: list[str],
        attributes: Any = None,
    ) -> None:
        serialise(self, node, tosa_graph, tosa_op, inputs, outputs, attributes)
        if not graphs or graphs[-1].serializer is not tosa_graph:
            graphs.append(WrittenGraph(tosa_graph, {}))
        index = len(tosa_graph.currRegion.currBasicBlock.operators) - 1
        line, inner = user_line(node.meta.get("stack_trace")), library_line(node.meta.get("stack_trace"))
        graphs[-1].origins[index] = TosaOrigin(
            operator=tosa_op.name,
            tensor=outputs[0],
            module=module_path(node),
            where=line.where if line else "",
            source=line.text if line else "",
            inputs=tuple(inputs),
            grid=_grid(node),
            nodes=frozenset(_derived_from(node.meta.get("from_node"))),
            inner_where=inner.where if inner else "",
            inner_source=inner.text if inner else "",
        )

    NodeVisitor._serialize_operator = serialise_and_record
    try:
        yield graphs
    finally:
        NodeVisitor._serialize_operator = serialise


def _derived_from(sources: Any) -> Iterator[tuple[int, str]]:
    pending = list(sources or ())
    while pending:
        source = pending.pop()
        yield source.graph_id, source.name
        pending += source.from_node or ()


def _grid(node: Any) -> tuple[float, int] | None:
    quantised = (node.meta.get("output_qparams") or {}).get(0)
    if quantised is None or quantised.per_channel:
        return None
    return float(quantised.scale), int(quantised.zp)
