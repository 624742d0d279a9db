# SPDX-License-Identifier: Apache-2.0
"""The memory that the NPU's bus masters access."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.faults import BusFault

Bytes = NDArray[np.uint8]


class Memory(Protocol):
    """The bus. Views share the memory, so all users see a write through a view.

    A device keeps views between runs. So the memory at an address must not be replaced.
    """

    def view(self, address: int, size_bytes: int, *, writable: bool) -> Bytes:
        """Return `size_bytes` contiguous bytes at `address`.

        Raises BusFault if some of them do not exist, or are read-only and `writable` is set.
        """


class MappedMemory:
    """Memory that consists of separate blocks. An access outside the blocks faults.

    A block is any NumPy array of bytes, for example over an `mmap` that an emulator shares.
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
