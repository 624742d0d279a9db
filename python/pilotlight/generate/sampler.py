# SPDX-License-Identifier: Apache-2.0
"""Chooses tokens as the device does (firmware/apps/generate/SPEC.md, "The sampler").

>>> random = Pcg32(42)
>>> [f"{random.next():08x}" for _ in range(6)]
['a15c02b7', '7b47f409', 'ba1d3330', '83d2f293', 'bfa4784b', 'cbed606e']
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = 256
LARGEST_WEIGHT = 65536
_MASK64 = (1 << 64) - 1


class Pcg32:
    """O'Neill's PCG-XSH-RR 64/32, stream 54."""

    def __init__(self, seed: int) -> None:
        self._state = 0
        self.next()
        self._state = (self._state + seed) & _MASK64
        self.next()

    def next(self) -> int:
        """Return the next number, from 0 to 2^32 - 1."""
        old = self._state
        self._state = (old * 6364136223846793005 + 109) & _MASK64
        shifted = (((old >> 18) ^ old) >> 27) & 0xFFFF_FFFF
        turn = old >> 59
        return (shifted >> turn | shifted << (-turn & 31)) & 0xFFFF_FFFF


def weights_for(scale: float, temperature: float) -> tuple[int, ...]:
    """Return the weight of a logit that is d steps below the largest, for d from 0 to 255.

    >>> weights_for(0.5, 1.0)[:4]
    (65536, 39750, 24109, 14623)
    """
    return tuple(math.floor(LARGEST_WEIGHT * math.exp(-d * scale / temperature) + 0.5) for d in range(WEIGHTS))


@dataclass
class Sampler:
    """weights: see SPEC.md; empty: greedy. top_k: 0 keeps all logits."""

    weights: tuple[int, ...] = ()
    top_k: int = 0
    seed: int = 0
    _random: Pcg32 = field(init=False)

    def __post_init__(self) -> None:
        self._random = Pcg32(self.seed)

    def choose(self, logits: NDArray[Any]) -> int:
        """Return the next token.

        >>> Sampler().choose(np.array([3, 7, 7], np.int8))
        1
        """
        x = [int(value) for value in logits.reshape(-1)]
        largest = max(x)
        if not self.weights:
            return x.index(largest)
        ranked = sorted(range(len(x)), key=lambda token: (-x[token], token))
        kept = sorted(ranked[: self.top_k or None])
        weights = [self.weights[largest - x[token]] for token in kept]
        aim = (self._random.next() * sum(weights)) >> 32
        sums = np.cumsum(weights)
        return kept[int(np.argmax(sums > aim))]
