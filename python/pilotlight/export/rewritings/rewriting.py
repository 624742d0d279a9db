# SPDX-License-Identifier: Apache-2.0
"""Defines a rewriting: it replaces one operator by others that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Takes the operator's tensors.
Function = Callable[..., Any]


def _inputs(node: Any) -> list[Any]:
    return list(node.all_input_nodes)


@dataclass(frozen=True)
class Rewriting:
    """A rewriting.

    targets: the operators that it may replace.
    into: returns the function that replaces a node, None if the rewriting does not apply.
    words, because: for the note "rewrote <words>, because <because>".
    sources: returns the nodes whose values the function takes; by default the operator's tensors,
        each once.
    rounds: whether the result may differ by float32 rounding. Otherwise all bits are equal.
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
    """Return the positional argument at `position`, or `default` if there is none."""
    return node.args[position] if len(node.args) > position else default


def pair(value: Any) -> tuple[int, int]:
    """Return first and last value of a list; a single number twice."""
    both = tuple(value) if isinstance(value, list | tuple) else (value,)
    return (both[0], both[-1])
