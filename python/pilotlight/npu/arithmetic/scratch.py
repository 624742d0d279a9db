# SPDX-License-Identifier: Apache-2.0
"""Memory for intermediate results, kept from one operation to the next: fresh pages cost more than the arithmetic."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Larger arrays are made anew each time, so that one huge operation does not hold its memory for good.
_KEPT_BYTES = 64 << 20


class Scratch:
    """Named blocks of memory. What an array of a name held is lost when the name is used again."""

    def __init__(self) -> None:
        self._blocks: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array with any content."""
        size_bytes = prod(shape) * np.dtype(dtype).itemsize
        if size_bytes > _KEPT_BYTES:
            return np.empty(shape, dtype)
        block = self._blocks.get(name)
        if block is None or len(block) < size_bytes:
            block = self._blocks[name] = np.empty(size_bytes, np.uint8)
        return np.ndarray(shape, dtype, block)
