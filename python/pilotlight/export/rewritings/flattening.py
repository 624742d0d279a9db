# SPDX-License-Identifier: Apache-2.0
"""Puts the weights of a linear layer next to images in the NPU's order.

The NPU keeps the channels of a pixel together, and PyTorch keeps the pixels of a channel together.
Before images are flattened to rows, and after rows are viewed as images, upstream brings the
elements into the other order, with a command for every few of them. If `linear` takes or makes the
rows, its weights and bias can have the NPU's order just as well, and nothing has to be moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import torch
from torch._ops import OpOverload

from pilotlight.export.graph.constants import is_constant
from pilotlight.export.rewritings.rewriting import Function, Rewriting

_aten = torch.ops.aten

_VIEWS = frozenset((_aten.flatten.using_ints, _aten.view.default, _aten.reshape.default, _aten.unflatten.int))
# Operators on pixels, by name. Their operands and results have the channels of a pixel together.
_ON_PIXELS = frozenset(
    (
        *("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "convolution"),
        *("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"),
        *("max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"),
        *("upsample_bilinear2d", "upsample_nearest2d"),
    )
)
_IDENTITIES = frozenset(("alias", "clone", "contiguous", "detach", "dropout"))
# Operators that compute each element from elements of the same place.
_ELEMENTWISE = frozenset(
    (
        *_IDENTITIES,
        *("add", "add_", "batch_norm", "clamp", "div", "div_"),
        *("elu", "elu_", "gelu", "hardsigmoid", "hardswish", "hardswish_", "hardtanh", "hardtanh_", "leaky_relu"),
        *("leaky_relu_", "mish", "mul", "mul_", "prelu", "relu", "relu_", "relu6", "relu6_", "sigmoid", "silu"),
        *("silu_", "softplus", "sub", "sub_", "tanh", "to"),
    )
)


def _in_the_npus_order(node: Any) -> Function | None:
    """Return `linear` with its inputs, its outputs or both in the NPU's order.

    The function takes the images or rows, the weights and the bias. None if nothing is gained.
    """
    if not all(argument is None or is_constant(argument) for argument in node.args[1:]):
        return None
    images, inputs = _images_before(node), node.args[1].meta["val"].shape[1]
    taken = () if images is None else tuple(images.meta["val"].shape)
    made = _shape_after(node)
    if not taken and not made:
        return None

    def compute(x: Any, weights: Any, *bias: Any) -> Any:
        if taken:
            x = _flat(x, taken)
            weights = _flat(_aten.view.default(weights, [-1, *taken[1:]]), (-1, *taken[1:]))
        if not made:
            return _aten.linear.default(x, weights, *bias)
        weights = _outputs_in_order(weights, made, [inputs])
        bias = tuple(_outputs_in_order(constant, made, []) for constant in bias)
        batch, channels, *pixels = made
        images = _aten.view.default(_aten.linear.default(x, weights, *bias), [batch, *pixels, channels])
        first = [0, len(pixels) + 1, *range(1, len(pixels) + 1)]
        return _aten.reshape.default(_aten.permute.default(images, first), [batch, prod(made[1:])])

    return compute


def _flat(images: Any, shape: Sequence[int]) -> Any:
    """Flatten images of shape [batch, channels, *pixels], the channels of a pixel together."""
    last = [0, *range(2, len(shape)), 1]
    return _aten.reshape.default(_aten.permute.default(images, last), [shape[0], prod(shape[1:])])


def _outputs_in_order(constant: Any, shape: Sequence[int], each: Sequence[int]) -> Any:
    """Bring a constant's first axis from [channels, *pixels] to [*pixels, channels].

    each: the shape of the constant's part for one output.
    """
    parts = _aten.view.default(constant, [*shape[1:], *each])
    order = [*range(1, len(shape) - 1), 0, *range(len(shape) - 1, len(shape) - 1 + len(each))]
    return _aten.reshape.default(_aten.permute.default(parts, order), [prod(shape[1:]), *each])


def _images_before(node: Any) -> Any:
    """Return the node whose images `node` takes as rows, None if their order does not matter."""
    flat = node.args[0]
    while _name(flat) in _IDENTITIES:
        flat = flat.args[0]
    if flat.op != "call_function" or flat.target not in _VIEWS:
        return None
    images = flat.args[0]
    return images if _matters(images, flat) and _leads([images], lambda node: node.all_input_nodes) else None


def _shape_after(node: Any) -> tuple[int, ...]:
    """Return the shape of the images that the rows become, () if their order does not matter."""
    rows = node
    while len(rows.users) == 1:
        (user,) = rows.users
        if user.op == "call_function" and user.target in _VIEWS:
            return (
                tuple(user.meta["val"].shape)
                if _matters(user, rows) and _leads(user.users, lambda node: node.users)
                else ()
            )
        if _name(user) not in _ELEMENTWISE or len(user.all_input_nodes) != 1:
            return ()
        rows = user
    return ()


def _matters(images: Any, rows: Any) -> bool:
    """Whether `rows` have the elements of `images`, and these have more than one order."""
    shape: tuple[int, ...] = tuple(images.meta["val"].shape)
    flat: tuple[int, ...] = tuple(rows.meta["val"].shape)
    if len(shape) not in (3, 4) or flat != (shape[0], prod(shape[1:])):
        return False
    return shape[1] > 1 and prod(shape[2:]) > 1


def _leads(nodes: Iterable[Any], onwards: Callable[[Any], Iterable[Any]]) -> bool:
    """Whether one of `nodes`, or what elementwise operators lead to from there, works on pixels.

    onwards: returns the neighbours of a node in the direction of the search.
    """
    waiting, seen = list(nodes), set()
    while waiting:
        node = waiting.pop()
        if node not in seen and _name(node) in _ON_PIXELS:
            return True
        if node not in seen and _name(node) in _ELEMENTWISE:
            waiting += onwards(node)
        seen.add(node)
    return False


def _name(node: Any) -> str:
    """Return the name of a PyTorch operator, "" for any other node."""
    return str(node.target._schema.name).removeprefix("aten::") if isinstance(node.target, OpOverload) else ""


def _images_and_constants(node: Any) -> list[Any]:
    images = _images_before(node)
    return [node.args[0] if images is None else images, *filter(None, node.args[1:])]


REWRITINGS = (
    Rewriting(
        (_aten.linear.default,),
        _in_the_npus_order,
        "linear beside images, with their channels last",
        "the NPU keeps them so",
        sources=_images_and_constants,
        rounds=True,
    ),
)
