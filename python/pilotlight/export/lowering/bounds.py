# SPDX-License-Identifier: Apache-2.0
"""Bounds of the NPU's distance from quantised PyTorch for the same input integers, by operator.

The unit is a step of the output's scale. SPEC.md, section "Comparison with quantised PyTorch",
explains the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# These choose values and compute none.
_CHOOSING = frozenset(("amax", "amin", "max_pool1d", "max_pool2d"))
# These operators move values. A copying form (`view_copy`) counts as the plain one (`view`).
_MOVING = frozenset(
    (
        *("_unsafe_view", "alias", "as_strided", "cat", "chunk", "clone", "concat", "contiguous", "copy"),
        *("detach", "dropout", "expand", "flatten", "flip", "getitem", "index_select", "movedim", "narrow"),
        *("permute", "pixel_shuffle", "pixel_unshuffle", "repeat", "reshape", "select", "slice", "split"),
        *("split_with_sizes", "squeeze", "stack", "t", "tile", "transpose", "unbind", "unflatten", "unfold"),
        *("unsqueeze", "upsample_nearest2d", "view"),
    )
)
_EXACT, _ROUNDED = 0, 1


def bound_of(island: Iterable[Any]) -> int:
    """Return the bound, in steps, of a result that `island` computes between two quantisers."""
    exact = _MOVING | _CHOOSING
    return max((_EXACT if _kind(node) in exact else _ROUNDED for node in island), default=_EXACT)


def only_moves(island: Iterable[Any]) -> bool:
    """Whether these operators only move values."""
    return all(_kind(node) in _MOVING for node in island)


def _kind(node: Any) -> str:
    schema = getattr(node.target, "_schema", None)
    name = schema.name if schema is not None else getattr(node.target, "__name__", str(node.target))
    return str(name).split("::")[-1].removesuffix("_copy")
