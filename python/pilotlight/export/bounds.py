# SPDX-License-Identifier: Apache-2.0
"""How far integer arithmetic may be from quantised PyTorch, given the same integers, by kind of operator.

In steps of the output's scale. DESIGN.md, section "Comparison with PyTorch", derives the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Values are chosen, and none is computed.
_CHOOSING = frozenset(("amax", "amin", "max_pool1d", "max_pool2d"))
# Values are moved. An operator that copies, `view_copy`, counts as the one without, `view`.
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
    """Return the bound for a value that these operators compute together, between two quantisers."""
    exact = _MOVING | _CHOOSING
    return max((_EXACT if _kind(node) in exact else _ROUNDED for node in island), default=_EXACT)


def only_moves(island: Iterable[Any]) -> bool:
    """Whether these operators put values elsewhere and do nothing else."""
    return all(_kind(node) in _MOVING for node in island)


def _kind(node: Any) -> str:
    schema = getattr(node.target, "_schema", None)
    name = schema.name if schema is not None else getattr(node.target, "__name__", str(node.target))
    return str(name).split("::")[-1].removesuffix("_copy")
