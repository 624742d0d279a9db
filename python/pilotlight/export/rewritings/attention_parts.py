# SPDX-License-Identifier: Apache-2.0
"""Splits operators with a mask inside into products, sums and softmax."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch

from pilotlight.export.graph.edit import Branch

_aten = torch.ops.aten


def spell_out_attention(graph: Any) -> None:
    """Replace masked scaled_dot_product_attention by products, mask and softmax.

    Upstream would do the same later.
    """
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or node.target is not _aten.scaled_dot_product_attention.default:
            continue
        query, key, value = node.args[:3]
        mask: Any = node.args[3] if len(node.args) > 3 else None
        dropout = node.args[4] if len(node.args) > 4 else 0.0
        causal = node.args[5] if len(node.args) > 5 else False
        if (mask is None and not causal) or dropout or node.kwargs.get("enable_gqa"):
            continue
        scale = node.kwargs.get("scale") or query.meta["val"].shape[-1] ** -0.5
        branch = Branch(graph, node)
        turned = branch.call(_aten.transpose.int, key, -2, -1)
        scores = branch.call(_aten.matmul.default, branch.call(_aten.mul.Tensor, query, scale), turned)
        if causal:
            shape = scores.meta["val"].shape[-2:]
            mask = branch.constant(torch.ones(shape, dtype=torch.bool).tril())
        if mask.meta["val"].dtype == torch.bool:
            masked = branch.call(_aten.where.ScalarOther, mask, scores, -math.inf)
        else:
            masked = branch.call(_aten.add.Tensor, scores, mask)
        softmax = branch.call(_aten._safe_softmax.default, masked, -1)
        node.replace_all_uses_with(branch.call(_aten.matmul.default, softmax, value))
        graph.graph.erase_node(node)
    graph.recompile()


def spell_out_added_products(graph: Any, softmax: Collection[Any]) -> None:
    """Replace baddbmm before a softmax by product and sum.

    nn.MultiheadAttention adds its mask with baddbmm.
    """
    for node in list(graph.graph.nodes):
        before_softmax = any(user.target in softmax for user in node.users)
        if node.target is _aten.baddbmm.default and before_softmax and not node.kwargs:
            added, *factors = node.args
            branch = Branch(graph, node)
            node.replace_all_uses_with(branch.call(_aten.add.Tensor, branch.call(_aten.bmm.default, *factors), added))
            graph.graph.erase_node(node)
