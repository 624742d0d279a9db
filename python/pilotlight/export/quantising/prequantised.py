# SPDX-License-Identifier: Apache-2.0
"""Prepares models that come quantised, for example from quantisation-aware training (QAT).

Such a graph has pairs of quantize and dequantize around its operators. Nothing is calibrated, and
no pair is moved or removed. If another quantiser than Arm's made the graph, three things may be
missing, which this module adds:

- the marks by which Arm's partitioner recognises quantised operators;
- an integer bias of a convolution;
- a pair between a sum and its activation. This pair changes no value: rounding is monotone, so a
  value may be clamped before or after it is rounded.

A few operators are replaced by others that compute the same, because Arm's lowering would split
them into parts without a range.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
from executorch.backends.arm.common.annotation_meta import ArmAnnotationInfo
from executorch.backends.arm.quantizer import quantization_annotator

from pilotlight.export.graph.user_operators import is_quantisation, number_of

_aten = torch.ops.aten
_quantised = torch.ops.quantized_decomposed

_PER_TENSOR = _quantised.dequantize_per_tensor.default
_PER_CHANNEL = _quantised.dequantize_per_channel.default

# Layers that Arm's lowering fuses with the activation after them, without rounding in between.
_LAYERS = (
    _aten.conv1d.default,
    _aten.conv2d.default,
    _aten.conv2d.padding,
    _aten.conv_transpose2d.input,
    _aten.convolution.default,
    _aten.linear.default,
)
_ACTIVATIONS = (
    _aten.relu.default,
    _aten.relu_.default,
    _aten.relu6.default,
    _aten.relu6_.default,
    _aten.hardtanh.default,
    _aten.hardtanh_.default,
    _aten.clamp.default,
)
# Operators that Arm's lowering computes directly on integers. All their ranges must be equal.
_OF_ONE_RANGE = frozenset(
    {
        *quantization_annotator._one_to_one_shared_input_qspec,
        *quantization_annotator._one_to_one_shared_input_or_input_act_qspec,
        *_ACTIVATIONS,
        _aten.cat.default,
        _aten.stack.default,
        _aten.max_pool1d.default,
    }
)
# Layers whose weights have the output channels first.
_WITH_BIAS = tuple(layer for layer in _LAYERS if layer is not _aten.conv_transpose2d.input)


def is_quantised(graph_module: Any) -> bool:
    """Whether a captured graph has quantize or dequantize nodes."""
    return any(is_quantisation(node) for node in graph_module.graph.nodes)


def with_kept_ranges(graph_module: Any, in_float: Collection[int]) -> Any:
    """Return a copy of a quantised graph that Arm's lowering accepts and that computes the same.

    in_float: numbers of the user's operators that run on the CPU and so get float constants.
    """
    kept = copy.deepcopy(graph_module)
    for node in list(kept.graph.nodes):
        if number_of(node) in in_float:
            _take_float_constants(kept, node)
        elif node.op == "call_function" and not is_quantisation(node):
            if node.target in _WITH_BIAS:
                _quantise_bias(kept, node)
            if node.target in _ACTIVATIONS:
                _round_before(node)
                _make_table(node)
            _average_by_pool(node)
    for node in kept.graph.nodes:
        if node.op == "call_function" and not is_quantisation(node) and number_of(node) not in in_float:
            _mark(node)
    kept.graph.eliminate_dead_code()
    kept.recompile()
    return kept


def _mark(node: Any) -> None:
    custom = node.meta.get("custom", {})
    if ArmAnnotationInfo.CUSTOM_META_KEY not in custom and _is_between_integers(node) and _fits(node):
        mark = dict(ArmAnnotationInfo(quantized=True))
        node.meta["custom"] = {**custom, ArmAnnotationInfo.CUSTOM_META_KEY: mark}


def _is_between_integers(node: Any) -> bool:
    """Whether all inputs of an operator were just dequantised and all users quantise its result."""
    takes = _takes_integers(node) or (
        node.target in _ACTIVATIONS and _is_layer_of_activation(node.args[0]) and _takes_integers(node.args[0])
    )
    gives = _gives_integers(node) or (_is_layer_of_activation(node) and _gives_integers(next(iter(node.users))))
    return takes and gives and bool(node.all_input_nodes)


def _fits(node: Any) -> bool:
    """Whether the NPU computes an operator correctly with the ranges around it."""
    return node.target not in _OF_ONE_RANGE or not _takes_integers(node) or len(_ranges_around(node)) == 1


def _ranges_around(node: Any) -> set[tuple[Any, ...]]:
    """Return scale and zero point of an operator's inputs and results."""
    return {tuple(other.args[1:3]) for other in (*node.all_input_nodes, *_takers(node)) if is_quantisation(other)}


def _make_table(activation: Any) -> None:
    """Replace a relu between two ranges by elu with alpha 0, which becomes a table on the NPU.

    An activation with an upper bound is replaced only if its range ends at this bound.
    """
    if not _takes_integers(activation) or not _gives_integers(activation) or _fits(activation):
        return
    scale, zero_point, _, highest = _takers(activation)[0].args[1:5]
    lower, upper = _bounds(activation)
    ends_there = upper is None or round(upper / scale) + zero_point >= highest
    if lower == 0 and ends_there:
        activation.target = _aten.elu.default
        activation.args = (activation.args[0], 0.0)
        activation.kwargs = {}


def _bounds(activation: Any) -> tuple[float | None, float | None]:
    """Return the bounds between which an activation returns its input; None for no bound."""
    if activation.target in (_aten.relu.default, _aten.relu_.default):
        return 0, None
    if activation.target in (_aten.relu6.default, _aten.relu6_.default):
        return 0, 6
    defaults = (None, None) if activation.target is _aten.clamp.default else (-1, 1)
    given = tuple(activation.args[1:3])
    lower, upper = given + defaults[len(given) :]
    return lower, upper


def _average_by_pool(node: Any) -> None:
    """Replace the mean over a whole plane by an average pool.

    Arm's lowering would split the mean in two parts without a range between them. If the plane's
    dimensions are dropped, a view with the same range drops them after the result was rounded.
    """
    if node.target not in (_aten.mean.dim, _aten.adaptive_avg_pool2d.default):
        return
    values = node.args[0]
    if values.meta["val"].dim() != 4 or not _takes_integers(node) or not _gives_integers(node):
        return
    plane = list(values.meta["val"].shape[-2:])
    if node.target is _aten.mean.dim:
        keeps = len(node.args) > 2 and node.args[2]
        if sorted(axis % 4 for axis in node.args[1]) != [2, 3]:
            return
    else:
        keeps = True
        if list(node.args[1]) != [1, 1]:
            return
    graph, way = node.graph, _takers(node)[0]
    with graph.inserting_before(node):
        result = graph.call_function(_aten.avg_pool2d.default, (values, plane, [1, 1]))
        result.meta = {key: value for key, value in node.meta.items() if key != "val"}
        if not keeps:
            rounded = graph.call_function(way.target, (result, *way.args[1:]))
            real = graph.call_function(_PER_TENSOR, (rounded, *way.args[1:]))
            rounded.meta, real.meta, pool = _traced_from(node), _traced_from(node), result
            result = graph.call_function(_aten.view.default, (real, list(node.meta["val"].shape)))
            result.meta = dict(pool.meta)
    node.replace_all_uses_with(result)
    graph.erase_node(node)


def _is_layer_of_activation(node: Any) -> bool:
    return node.target in _LAYERS and [user.target in _ACTIVATIONS for user in node.users] == [True]


def _round_before(activation: Any) -> None:
    """Add a pair with the activation's range before an activation that follows no layer."""
    source = activation.args[0]
    computed = source.op == "call_function" and not is_quantisation(source)
    if not computed or source.target in _LAYERS or not _takes_integers(source) or not _gives_integers(activation):
        return
    if [user.target in _ACTIVATIONS for user in source.users] != [True]:
        return
    quantised = next(iter(activation.users))
    graph = activation.graph
    with graph.inserting_before(activation):
        rounded = graph.call_function(quantised.target, (source, *quantised.args[1:]))
        real = graph.call_function(_PER_TENSOR, (rounded, *quantised.args[1:]))
    for node in (rounded, real):
        node.meta = _traced_from(source)
    activation.replace_input_with(source, real)


def _takes_integers(node: Any) -> bool:
    return all(map(_is_dequantised, node.all_input_nodes))


def _gives_integers(node: Any) -> bool:
    takers = _takers(node)
    return bool(takers) and all(is_quantisation(taker) and not _is_dequantised(taker) for taker in takers)


def _takers(node: Any) -> list[Any]:
    """Return the users of an operator's results. A getitem in between is skipped."""
    picked = [user for user in node.users if getattr(user.target, "__name__", "") == "getitem"]
    return [user for user in node.users if user not in picked] + [user for pick in picked for user in pick.users]


def _is_dequantised(node: Any) -> bool:
    return is_quantisation(node) and ".dequantize_" in f".{node.target.__name__}"


def _take_float_constants(graph_module: Any, node: Any) -> None:
    """Replace an operator's quantised constants by the floats that they represent."""
    for source in node.all_input_nodes:
        if _is_dequantised(source) and source.args[0].op == "get_attr":
            value = source.target(*(_held(graph_module, argument) for argument in source.args))
            node.replace_input_with(source, _constant(graph_module, node, value, source))


def _quantise_bias(graph_module: Any, node: Any) -> None:
    """Convert a float bias to int32 in steps of the accumulator, where the NPU adds it."""
    values, weights, bias = (node.args[index] if len(node.args) > index else None for index in (0, 1, 2))
    if bias is None or bias.op != "get_attr" or not _is_dequantised(values) or not _is_dequantised(weights):
        return
    scales = _scales(graph_module, values).double() * _scales(graph_module, weights).double()
    held = _held(graph_module, bias).detach()
    lowest, highest = -(2**31) + 1, 2**31 - 1
    steps = (held.double() / scales).round().clamp(lowest, highest).to(torch.int32)
    integers = _constant(graph_module, node, steps, bias)
    scale = scales.float().expand(held.shape).contiguous()
    with graph_module.graph.inserting_before(node):
        of_channels = [
            _constant(graph_module, node, value, bias) for value in (scale, torch.zeros(held.shape, dtype=torch.int64))
        ]
        arguments = (integers, *of_channels, 0, lowest, highest, torch.int32)
        dequantised = graph_module.graph.call_function(_PER_CHANNEL, arguments)
    dequantised.meta = _traced_from(node)
    node.replace_input_with(bias, dequantised)


def _scales(graph_module: Any, dequantised: Any) -> Any:
    return torch.as_tensor(_held(graph_module, dequantised.args[1]))


def _held(graph_module: Any, argument: Any) -> Any:
    """Return the value of an argument: the tensor if it is a constant's node."""
    if not isinstance(argument, torch.fx.Node):
        return argument
    value = graph_module
    for name in argument.target.split("."):
        value = getattr(value, name)
    return value


def _constant(graph_module: Any, before: Any, value: Any, like: Any) -> Any:
    """Add a tensor to the graph's constants and return its node. like: the node it replaces."""
    number = sum(name.startswith("_kept_constant") for name, _ in graph_module.named_buffers())
    name = f"_kept_constant{number}"
    graph_module.register_buffer(name, value.detach())
    with graph_module.graph.inserting_before(before):
        node = graph_module.graph.get_attr(name)
    node.meta = _traced_from(like)
    return node


def _traced_from(node: Any) -> dict[str, Any]:
    return {key: value for key, value in node.meta.items() if key in ("stack_trace", "nn_module_stack")}
