# SPDX-License-Identifier: Apache-2.0
"""What a rewriting is: other operators in place of one, that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Of the operator's tensors.
Function = Callable[..., Any]


def _inputs(node: Any) -> list[Any]:
    return list(node.all_input_nodes)


@dataclass(frozen=True)
class Rewriting:
    """Operators `targets`. into: what to compute instead of a node, None where that does not apply.

    words, because: "rewrote <words>, because <because>".
    sources: the nodes whose values the function takes, by default the operator's tensors, each once.
    rounds: the function may differ by the rounding of float32. Without it the bits are the same.
    """

    targets: tuple[Any, ...]
    into: Callable[[Any], Function | None]
    words: str
    because: str
    sources: Callable[[Any], list[Any]] = _inputs
    rounds: bool = False


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of the operator's first tensor."""
    return tuple(node.args[0].meta["val"].shape)


def argument(node: Any, position: int, default: Any) -> Any:
    return node.args[position] if len(node.args) > position else default


def pair(value: Any) -> tuple[int, int]:
    both = tuple(value) if isinstance(value, list | tuple) else (value,)
    return (both[0], both[-1])
