# SPDX-License-Identifier: Apache-2.0
"""Finds the user's operator that made each output, and whether the output depends on an input."""

from __future__ import annotations

import torch
from torch.utils._pytree import tree_leaves

from pilotlight.export.graph.edit import constant_nodes
from pilotlight.export.graph.user_operators import number_of
from pilotlight.export.quantising.quantise import Captured
from pilotlight.export.report.findings import Origin


def output_origins(captured: Captured, count: int) -> tuple[Origin, ...]:
    """Return the origin of each of the `count` outputs."""
    graph = captured.graph
    fixed = constant_nodes(graph)
    leaves = [leaf for leaf in tree_leaves(graph.graph.output_node().args) if isinstance(leaf, torch.fx.Node)]
    origins = []
    for leaf in leaves:
        number = number_of(leaf)
        operator = captured.operators.get(number) if number is not None else None
        # The layers of an nn.Sequential share one line. The module's path tells them apart.
        module = f" (module {operator.module})" if operator and operator.module else ""
        origins.append(Origin(f"{operator or ''}{module}", leaf not in fixed))
    # An output that is not a tensor has no node in the graph.
    return tuple(origins) if len(origins) == count else (Origin("", True),) * count
