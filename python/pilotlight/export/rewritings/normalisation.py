# SPDX-License-Identifier: Apache-2.0
"""Rewrites a batch norm after no convolution as an affine map of each channel.

The constants are folded first. ExecuTorch would split the batch norm after quantising into
subtract, multiply, multiply and add, each rounded to int8.
"""

from __future__ import annotations

from typing import Any

import torch

from pilotlight.export.graph.constants import is_constant
from pilotlight.export.rewritings.rewriting import Function, Rewriting

_aten = torch.ops.aten
_CONVOLUTIONS = {1: _aten.conv1d.default, 2: _aten.conv2d.default}
# ExecuTorch folds a batch norm into these before it quantises.
_FOLDED_BY_UPSTREAM = ("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.conv_transpose")


def _affine(node: Any) -> Function | None:
    """Return one of three forms of a batch norm, or None.

    If a linear layer is before the batch norm, the form is that layer with new weights. For one- or
    two-dimensional planes, it is a depthwise convolution over one point. In other cases, it is a
    product and a sum.
    """
    x, weight, bias, mean, variance, training, _, epsilon, *_ = node.args
    held = [source for source in (weight, bias, mean, variance) if source is not None]
    if training or not all(is_constant(source) for source in held) or _is_folded_by_upstream(x):
        return None
    shape = x.meta["val"].shape
    channels, plane = shape[1], len(shape) - 2
    has_weight, has_bias = weight is not None, bias is not None
    layer = _linear_before(node)
    has_layer_bias = layer is not None and len(layer.args) > 2 and layer.args[2] is not None

    def compute(*tensors: Any) -> Any:
        given = list(tensors)
        x = given.pop(0)
        rows = given.pop(0) if layer is not None else None
        offset = given.pop(0) if has_layer_bias else None
        weight = given.pop(0) if has_weight else None
        bias = given.pop(0) if has_bias else None
        mean, variance = given
        scale = _aten.rsqrt.default(_aten.add.Scalar(variance, epsilon))
        scale = scale if weight is None else _aten.mul.Tensor(scale, weight)
        if offset is not None:
            mean = _aten.sub.Tensor(mean, offset)
        shift = _aten.neg.default(_aten.mul.Tensor(mean, scale))
        shift = shift if bias is None else _aten.add.Tensor(shift, bias)
        if layer is not None:
            return _aten.linear.default(x, _aten.mul.Tensor(rows, _aten.reshape.default(scale, [channels, 1])), shift)
        if plane in _CONVOLUTIONS:
            ones = [1] * plane
            filters = _aten.reshape.default(scale, [channels, 1, *ones])
            return _CONVOLUTIONS[plane](x, filters, shift, ones, [0] * plane, ones, channels)
        across = [1, channels, *([1] * plane)]
        scaled = _aten.mul.Tensor(x, _aten.reshape.default(scale, across))
        return _aten.add.Tensor(scaled, _aten.reshape.default(shift, across))

    return compute


def _tensors(node: Any) -> list[Any]:
    """Return the arguments of `compute`: all tensors that are not None, with repetitions."""
    layer = _linear_before(node)
    first = [node.args[0]] if layer is None else list(layer.args)
    return [source for source in (*first, *node.args[1:5]) if source is not None]


def _linear_before(node: Any) -> Any:
    """Return the linear layer before a batch norm if nothing else reads it, else None."""
    layer = node.args[0]
    alone = layer.op == "call_function" and layer.target is _aten.linear.default and len(layer.users) == 1
    if not alone or len(layer.meta["val"].shape) != 2:
        return None
    return layer if all(source is None or is_constant(source) for source in layer.args[1:]) else None


def _is_folded_by_upstream(x: Any) -> bool:
    return x.op == "call_function" and str(x.target).startswith(_FOLDED_BY_UPSTREAM) and len(x.users) == 1


REWRITINGS = (
    Rewriting(
        (_aten.batch_norm.default,),
        _affine,
        "batch_norm as an affine map of each channel",
        "no convolution before it takes its constants",
        sources=_tensors,
        rounds=True,
    ),
)
