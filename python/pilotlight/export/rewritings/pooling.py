# SPDX-License-Identifier: Apache-2.0
"""Rewrites 1D pools as 2D pools over one row, and maxima over all places as a reduction."""

from __future__ import annotations

import operator
from typing import Any

import torch

from pilotlight.export.rewritings.rewriting import Function, Rewriting, argument, pair, shape_of

_aten = torch.ops.aten


def _over_one_row(function: Function) -> Function:
    return lambda x: _aten.squeeze.dim(function(_aten.unsqueeze.default(x, -2)), -2)


def _adaptive(node: Any) -> Function | None:
    places = pair(node.args[1])[0]
    if len(shape_of(node)) != 3:
        return None
    if places == 1:
        return lambda x: _aten.mean.dim(x, [-1], True)
    return _over_one_row(lambda x: _aten.adaptive_avg_pool2d.default(x, [1, places]))


def _average(node: Any) -> Function | None:
    if len(shape_of(node)) != 3:
        return None
    kernel, padding = pair(node.args[1])[0], pair(argument(node, 3, 0))[0]
    stride = pair(argument(node, 2, None) or kernel)[0]
    ceil_mode, count_include_pad = argument(node, 4, False), argument(node, 5, True)
    length = shape_of(node)[-1]
    if padding == 0 and not ceil_mode and kernel == length:
        return lambda x: _aten.mean.dim(x, [-1], True)
    if padding == 0 and stride == kernel > 3 and length % kernel == 0:
        return _over_one_row(lambda x: _aten.adaptive_avg_pool2d.default(x, [1, length // kernel]))
    options = [[1, kernel], [1, stride], [0, padding], ceil_mode, count_include_pad]
    return _over_one_row(lambda x: _aten.avg_pool2d.default(x, *options))


def _maximum(node: Any) -> Function | None:
    """Return amax for an adaptive maximum over all places if its index output is unused."""
    pool, index = node.args
    dimensions = _ADAPTIVE_MAXIMA.get(getattr(pool, "target", None))
    if dimensions is None or index != 0 or set(pool.args[1]) != {1} or len(pool.users) != 1:
        return None
    return lambda x: _aten.amax.default(x, dimensions, True)


def _pooled(node: Any) -> list[Any]:
    return [node.args[0].args[0]]


_ADAPTIVE_MAXIMA = {_aten.adaptive_max_pool1d.default: [-1], _aten.adaptive_max_pool2d.default: [-2, -1]}

REWRITINGS = (
    Rewriting(
        (_aten.adaptive_avg_pool1d.default,),
        _adaptive,
        "adaptive_avg_pool1d as a mean, or over one row",
        "the quantiser knows only those",
        rounds=True,
    ),
    Rewriting(
        (_aten.avg_pool1d.default,),
        _average,
        "avg_pool1d as avg_pool2d over one row, or as a mean",
        "the quantiser knows only those",
        rounds=True,
    ),
    Rewriting(
        (operator.getitem,),
        _maximum,
        "the adaptive maximum of all places as amax",
        "the quantiser knows only that",
        sources=_pooled,
    ),
)
