# SPDX-License-Identifier: Apache-2.0
"""What the NPU's bus masters see: addresses behind which there are bytes, or nothing."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.faults import BusFault

Bytes = NDArray[np.uint8]


class Memory(Protocol):
    """The bus. Views share the memory itself: a write through a writable view is seen by everybody.

    A device keeps views from run to run, so what is once mapped at an address stays there.
    """

    def view(self, address: int, size_bytes: int, *, writable: bool) -> Bytes:
        """Return `size_bytes` contiguous bytes at `address`; raise BusFault when they are not all there."""


class MappedMemory:
    """Memory made of separate blocks; whatever lies between them faults.

    A block is any NumPy array of bytes, for instance over an `mmap` shared with an emulator.
    """

    def __init__(self) -> None:
        self._blocks: list[tuple[int, Bytes, bool, str]] = []

    def add(self, address: int, block: Bytes, *, writable: bool, name: str) -> None:
        self._blocks.append((address, block, writable, name))

    def view(self, address: int, size_bytes: int, *, writable: bool) -> Bytes:
        for start, block, may_write, name in self._blocks:
            offset = address - start
            if 0 <= offset < max(1, len(block)):
                if offset + size_bytes > len(block):
                    over = offset + size_bytes - len(block)
                    raise BusFault(f"{size_bytes} bytes at {address:#x} reach {over} bytes past the end of {name}")
                if writable and not may_write:
                    raise BusFault(f"write to {name} at {address:#x}, which is read-only")
                return block[offset : offset + size_bytes]
        raise BusFault(f"{size_bytes} bytes at {address:#x}: no memory there")
