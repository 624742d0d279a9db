# SPDX-License-Identifier: Apache-2.0
"""Which operator of the user's made each output, and whether it depends on the input at all."""

from __future__ import annotations

import torch
from torch.utils._pytree import tree_leaves

from pilotlight.export.findings import Origin
from pilotlight.export.graph_edit import constant_nodes
from pilotlight.export.quantise import Captured
from pilotlight.export.user_operators import number_of


def output_origins(captured: Captured, count: int) -> tuple[Origin, ...]:
    """Return where each of `count` outputs comes from."""
    graph = captured.graph
    fixed = constant_nodes(graph)
    leaves = [leaf for leaf in tree_leaves(graph.graph.output_node().args) if isinstance(leaf, torch.fx.Node)]
    origins = []
    for leaf in leaves:
        number = number_of(leaf)
        operator = captured.operators.get(number) if number is not None else None
        # Layers of an nn.Sequential have no line of the user's, but a name.
        module = f" (module {operator.module})" if operator and operator.module else ""
        origins.append(Origin(f"{operator or ''}{module}", leaf not in fixed))
    # An output that is no tensor has no place in the graph.
    return tuple(origins) if len(origins) == count else (Origin("", True),) * count
