# SPDX-License-Identifier: Apache-2.0
"""The orders in which a delegate's graph may have a value of the quantised module.

Upstream moves operators across those that only move values. `relu(x).reshape(...).transpose(...)`
may become a relu of the transposed tensor. TOSA's values then have the order after the moves.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pilotlight.export.lowering.bounds import only_moves

_MOST = 24


def layouts(quantiser: Any) -> Iterator[NDArray[np.int64]]:
    """Yield at most 24 other orders of the quantiser's values, nearest operators first.

    Element j in an order is element `order.flat[j]` of the value. The array has the shape that the
    value has in this order.
    """
    shape = _shape(quantiser)
    if shape is not None:
        own = _elements(shape)
        for count, order in enumerate((*_after(quantiser, own), *_before(quantiser, own))):
            if count == _MOST:
                return
            yield order.numpy()


def _after(quantiser: Any, own: Any) -> Iterator[Any]:
    """Yield the orders that later operators produce."""
    pending = deque([(quantiser, own)])
    while pending:
        node, order = pending.popleft()
        for user in node.users:
            if _keeps(user):
                pending.append((user, order))
            elif user.op == "call_function" and only_moves([user]) and user.all_input_nodes == [node]:
                moved = _run(user, order)
                if moved is not None:
                    yield moved
                    pending.append((user, moved))


def _before(quantiser: Any, own: Any) -> Iterator[Any]:
    """Yield the orders that the values had before earlier operators moved them."""
    node, order = quantiser, own
    while len(node.all_input_nodes) == 1:
        source = node.all_input_nodes[0]
        shape = _shape(source)
        if node.op != "call_function" or shape is None or math.prod(shape) != order.numel():
            return
        if not _keeps(node) and only_moves([node]):
            taken = _run(node, _elements(shape))
            if taken is None:
                return
            given = torch.empty(order.numel(), dtype=torch.int64)
            given[taken.flatten()] = order.flatten()
            order = given.reshape(shape)
            yield order
        node = source


def _keeps(node: Any) -> bool:
    return "quantize_per" in str(node.target)


def _shape(node: Any) -> tuple[int, ...] | None:
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    return _shape(node.args[0]) if _keeps(node) else None


def _elements(shape: tuple[int, ...]) -> Any:
    return torch.arange(math.prod(shape)).reshape(shape)


def _run(node: Any, order: Any) -> Any | None:
    """Return the operator's result for `order`, None if the result does not have the same elements.

    The result is also None if PyTorch's operator does not accept integers.
    """
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda source: order)
    try:
        moved = node.target(*args, **kwargs)
    except RuntimeError:  # NotImplementedError is one.
        return None
    same = isinstance(moved, torch.Tensor) and torch.equal(moved.flatten().sort().values, order.flatten().sort().values)
    return moved if same else None
