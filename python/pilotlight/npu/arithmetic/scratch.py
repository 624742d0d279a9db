# SPDX-License-Identifier: Apache-2.0
"""Memory for intermediate results. The memory is reused, because new pages cost more than
arithmetic."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Larger arrays are not kept, so that one huge operation does not occupy its memory forever.
_KEPT_BYTES = 64 << 20
_KEPT_ARRAYS = 1024


class Scratch:
    """Named blocks of memory. An array loses its content when its name is used again."""

    def __init__(self) -> None:
        self._blocks: dict[str, NDArray[np.uint8]] = {}
        # Arrays in the blocks, because to make one takes longer than to find it.
        self._arrays: dict[tuple[str, tuple[int, ...], DTypeLike], NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array with arbitrary content."""
        found = self._arrays.get((name, shape, dtype))
        if found is not None:
            return found
        size_bytes = prod(shape) * np.dtype(dtype).itemsize
        if size_bytes > _KEPT_BYTES:
            return np.empty(shape, dtype)
        block = self._blocks.get(name)
        if block is None or len(block) < size_bytes:
            block = self._blocks[name] = np.empty(size_bytes, np.uint8)
            # Otherwise they would keep the smaller block alive.
            self._arrays.clear()
        if len(self._arrays) >= _KEPT_ARRAYS:
            self._arrays.clear()
        array: NDArray[Any] = np.ndarray(shape, dtype, block)
        self._arrays[name, shape, dtype] = array
        return array
