# SPDX-License-Identifier: Apache-2.0
"""Rewrites matrix products with the model's weights as `linear`, which the quantiser knows."""

from __future__ import annotations

from typing import Any

import torch

from pilotlight.export.graph.constants import is_constant
from pilotlight.export.rewritings.rewriting import Function, Rewriting

_aten = torch.ops.aten


def _linear(node: Any) -> Function | None:
    """Rewrite x @ w. Weights w have a row for each input; `linear` has a row for each output."""
    x, weights = node.args
    if not is_constant(weights) or weights.meta["val"].dim() != 2 or x.meta["val"].dim() < 2 or x is weights:
        return None
    return lambda x, weights: _aten.linear.default(x, _aten.t.default(weights))


def _linear_with_bias(node: Any) -> Function | None:
    """Rewrite beta * bias + alpha * (x @ y) as `linear` if y is weights, else product and sum."""
    bias, x, y = node.args[:3]
    alpha, beta = node.kwargs.get("alpha", 1), node.kwargs.get("beta", 1)
    if beta == 0 or len({bias, x, y}) < 3:
        return None
    weights = is_constant(y) and y.meta["val"].dim() == 2
    a_row = is_constant(bias) and tuple(bias.meta["val"].shape) == (y.meta["val"].shape[-1],)

    def scaled(tensor: Any, factor: float) -> Any:
        return tensor if factor == 1 else _aten.mul.Tensor(tensor, factor)

    def compute(bias: Any, x: Any, y: Any) -> Any:
        bias = scaled(bias, beta)
        if weights:
            rows = _aten.t.default(scaled(y, alpha))
            if a_row:
                return _aten.linear.default(x, rows, bias)
            return _aten.add.Tensor(_aten.linear.default(x, rows), bias)
        return _aten.add.Tensor(scaled(_aten.matmul.default(x, y), alpha), bias)

    return compute


REWRITINGS = (
    Rewriting(
        (_aten.mm.default, _aten.matmul.default),
        _linear,
        "a product with weights as linear",
        "the quantiser knows weights only there",
        rounds=True,
    ),
    Rewriting(
        (_aten.addmm.default, _aten.baddbmm.default),
        _linear_with_bias,
        "a product plus a bias as linear, or as a product and a sum",
        "the quantiser knows only those",
        rounds=True,
    ),
)
