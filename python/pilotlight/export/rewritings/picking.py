# SPDX-License-Identifier: Apache-2.0
"""Rewrites selections by fixed indices, `x[:, [0, 1, 5]]`, as slices, which need no gather."""

from __future__ import annotations

from typing import Any

import torch

from pilotlight.export.graph.constants import attribute, is_constant
from pilotlight.export.rewritings.rewriting import Function, Rewriting, shape_of

_aten = torch.ops.aten

# With more slices than this, a gather on the CPU is cheaper.
_MOST_SLICES = 32


def runs(indices: list[int]) -> list[tuple[int, int]]:
    """Return ranges (start, end) that produce the indices in order. The end is exclusive.

    >>> runs([4, 5, 6, 0, 6, 6])
    [(4, 7), (0, 1), (6, 7), (6, 7)]
    """
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and index == found[-1][1]:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


def _sliced(node: Any) -> Function | None:
    """Return slices for `index` with one index tensor, or for `index_select`; else None."""
    if node.target is _aten.index_select.default:
        dimension, held = node.args[1], node.args[2]
    else:
        given = [place for place, index in enumerate(node.args[1]) if index is not None]
        if len(given) != 1:
            return None
        dimension, held = given[0], node.args[1][given[0]]
    if not is_constant(held):
        return None
    indices = attribute(node.graph.owning_module, held.target)
    if indices.dtype is torch.bool or indices.dim() != 1 or indices.numel() == 0:
        return None
    length = shape_of(node)[dimension]
    ranges = runs([index % length for index in indices.tolist()])
    if len(ranges) > _MOST_SLICES:
        return None

    def compute(x: Any) -> Any:
        parts = [_aten.slice.Tensor(x, dimension, start, end) for start, end in ranges]
        return parts[0] if len(parts) == 1 else _aten.cat.default(parts, dimension)

    return compute


def _picked_from(node: Any) -> list[Any]:
    return [node.args[0]]


REWRITINGS = (
    Rewriting(
        (_aten.index.Tensor, _aten.index_select.default),
        _sliced,
        "a pick by fixed indices as slices",
        "the NPU cannot gather",
        sources=_picked_from,
    ),
)
