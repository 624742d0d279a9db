# SPDX-License-Identifier: Apache-2.0
"""Attention as in timm and Hugging Face: `unbind` splits one projection in query, key and value."""

from __future__ import annotations

import operator
from typing import Any

import torch

from pilotlight.export.rewritings.rewriting import Function, Rewriting, argument

_aten = torch.ops.aten


def _picked(node: Any) -> tuple[Any, int, int] | None:
    """Return tensor, dimension and index that `node` selects from; None if `node` is not a
    selection."""
    if node.target is _aten.select.int:
        tensor, dimension, index = node.args
    else:
        several, index = node.args
        if getattr(several, "target", None) is not _aten.unbind.int:
            return None
        tensor, dimension = several.args[0], argument(several, 1, 0)
    return tensor, dimension % tensor.meta["val"].dim(), index


def _selected(node: Any) -> Function | None:
    """Select first, then permute the result, which has one dimension less."""
    picked = _picked(node)
    if picked is None:
        return None
    tensor, dimension, index = picked
    order = _order(tensor)
    if order is None:
        return None if node.target is _aten.select.int else lambda x: _aten.select.int(x, dimension, index)
    along = order[dimension]
    left = [axis - (axis > along) for place, axis in enumerate(order) if place != dimension]
    return lambda x: _aten.permute.default(_aten.select.int(x, along, index), left)


def _order(tensor: Any) -> list[int] | None:
    """Return the order of dimensions of a permuted tensor, None if `tensor` is not permuted."""
    if tensor.op != "call_function":
        return None
    rank = tensor.meta["val"].dim()
    if tensor.target is _aten.permute.default:
        return [axis % rank for axis in tensor.args[1]]
    if tensor.target is _aten.transpose.int:
        order, (first, second) = list(range(rank)), (axis % rank for axis in tensor.args[1:])
        order[first], order[second] = second, first
        return order
    return None


def _taken_apart(node: Any) -> list[Any]:
    """Return the tensor that `node` selects from, before its permutation."""
    picked = _picked(node)
    assert picked is not None
    return [picked[0].args[0] if _order(picked[0]) is not None else picked[0]]


REWRITINGS = (
    Rewriting(
        (operator.getitem,),
        _selected,
        "unbind as select",
        "the quantiser knows only that",
        sources=_taken_apart,
    ),
    Rewriting(
        (_aten.select.int,),
        _selected,
        "select from a permuted tensor as a permutation of the selection",
        "Vela's compiler crashes on some permutations of five dimensions",
        sources=_taken_apart,
    ),
)
