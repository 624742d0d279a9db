# SPDX-License-Identifier: Apache-2.0
"""Keeps activations that ExecuTorch would drop.

ExecuTorch removes a ReLU after a convolution or linear layer and lets the quantiser's lowest value
stand for zero. This is correct only if the zero point is the lowest value of the type. It is wrong
if the ReLU shares its quantiser with values that may be negative: in a branch of `cat`, or before a
sum. So this module quantises the layer's result separately, with the ReLU's scale and zero point,
and the ReLU then works on integers. PyTorch gives the same bits with and without this step: a
monotone activation commutes with rounding if its bounds are rounded with the same scale and zero
point.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed

_aten = torch.ops.aten
ACTIVATIONS = frozenset(
    {
        _aten.relu.default,
        _aten.relu_.default,
        _aten.hardtanh.default,
        _aten.hardtanh_.default,
        _aten.clamp.default,
        _aten.clamp_.default,
    }
)
_FAR = 2.0**31
_SEPARATION = "pilotlight_separates_activation"

QUANTISE = torch.ops.quantized_decomposed.quantize_per_tensor.default
DEQUANTISE = torch.ops.quantized_decomposed.dequantize_per_tensor.default


def separate_activations(converted: Any) -> int:
    """Quantise the input of each activation whose bounds are not those of the integer type.

    converted: graph module from PT2E; changed in place. Returns the number of activations changed.
    """
    places = [node for node in converted.graph.nodes if _is_lost_when_fused(node)]
    for activation in places:
        (quantise,) = activation.users
        before = activation.args[0]
        with converted.graph.inserting_before(activation):
            quantised = converted.graph.call_function(QUANTISE, (before, *quantise.args[1:]))
            restored = converted.graph.call_function(DEQUANTISE, (quantised, *quantise.args[1:]))
        for new, like in ((quantised, quantise), (restored, before)):
            new.meta = {key: value for key, value in like.meta.items() if key != "from_node"}
        quantised.meta[_SEPARATION] = True
        activation.replace_input_with(before, restored)
    if places:
        converted.recompile()
    return len(places)


def is_separation(quantiser: Any) -> bool:
    """Whether `separate_activations` added `quantiser`, which clips only values that the activation
    drops."""
    return bool(quantiser.meta.get(_SEPARATION))


def _is_lost_when_fused(node: Any) -> bool:
    """Whether ExecuTorch's fusion would lose the activation `node`.

    Fusion loses an activation whose input was computed in float and whose bounds are not those of
    its quantiser.
    """
    if node.op != "call_function" or node.target not in ACTIVATIONS or len(node.users) != 1:
        return False
    (user,) = node.users
    before = node.args[0]
    if user.target is not QUANTISE or before.op != "call_function" or before.target is DEQUANTISE:
        return False
    _, scale, zero_point, lowest, highest, _ = user.args
    low, high = _bounds(node)

    def quantised(bound: float) -> int:
        steps = round(min(max(bound / scale, -_FAR), _FAR)) + zero_point
        return int(min(max(steps, lowest), highest))

    return bool(quantised(low) > lowest or quantised(high) < highest)


def _bounds(node: Any) -> tuple[float, float]:
    """Return the lowest and the highest value of an activation's result."""
    name = node.target._schema.name
    if name.startswith("aten::relu"):
        return 0.0, float("inf")
    if name.startswith("aten::hardtanh"):
        given = {**dict(zip(("min_val", "max_val"), node.args[1:], strict=False)), **node.kwargs}
        return float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))
    given = {**dict(zip(("min", "max"), node.args[1:], strict=False)), **node.kwargs}
    low, high = given.get("min"), given.get("max")
    return (float("-inf") if low is None else float(low)), (float("inf") if high is None else float(high))
