# SPDX-License-Identifier: Apache-2.0
"""Records which of the user's operators each TOSA operator came from, while upstream writes the TOSA graph.

Upstream can put this into the graph itself, but then the graph that Vela compiles and the reference model runs is
another one. We stand behind the one method through which its lowerings write operators instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from executorch.backends.arm.operators.node_visitor import NodeVisitor

from pilotlight.export.source_lines import library_line, user_line
from pilotlight.export.user_operators import module_path


@dataclass(frozen=True)
class TosaOrigin:
    """operator: TOSA's name, "CONV2D". tensor: name of its (first) output. the rest: `OperatorReport`."""

    operator: str
    tensor: str
    module: str
    where: str
    source: str
    inner_where: str = ""
    inner_source: str = ""


# By index of the operator in the graph, constants included: what Vela's debug database calls the external key.
Origins = dict[int, TosaOrigin]


@contextmanager
def recorded_origins() -> Iterator[list[Origins]]:
    """Collect the operators of every TOSA graph that is written during the block, graph by graph."""
    graphs: list[Origins] = []
    seen: list[Any] = []
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
        if not seen or seen[-1] is not tosa_graph:
            seen.append(tosa_graph)
            graphs.append({})
        index = len(tosa_graph.currRegion.currBasicBlock.operators) - 1
        line, inner = user_line(node.meta.get("stack_trace")), library_line(node.meta.get("stack_trace"))
        graphs[-1][index] = TosaOrigin(
            operator=tosa_op.name,
            tensor=outputs[0],
            module=module_path(node),
            where=line.where if line else "",
            source=line.text if line else "",
            inner_where=inner.where if inner else "",
            inner_source=inner.text if inner else "",
        )

    NodeVisitor._serialize_operator = serialise_and_record
    try:
        yield graphs
    finally:
        NodeVisitor._serialize_operator = serialise
