# SPDX-License-Identifier: Apache-2.0
"""Attention as timm and Hugging Face write it: one projection for query, key and value, taken apart by `unbind`."""

from __future__ import annotations

import operator
from typing import Any

import torch

from pilotlight.export.rewriting import Function, Rewriting, argument

_aten = torch.ops.aten


def _selected(node: Any) -> Function | None:
    several, index = node.args
    if getattr(several, "target", None) is not _aten.unbind.int:
        return None
    dimension = argument(several, 1, 0)
    return lambda x: _aten.select.int(x, dimension, index)


def _taken_apart(node: Any) -> list[Any]:
    """The tensor of which `unbind` made several."""
    return [node.args[0].args[0]]


REWRITINGS = (
    Rewriting(
        (operator.getitem,),
        _selected,
        "unbind as select",
        "the quantiser knows only that",
        sources=_taken_apart,
    ),
)
