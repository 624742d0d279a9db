# SPDX-License-Identifier: Apache-2.0
"""The memory of a program. Tensors have the places of the exporter's memory plan, as on the device.

So tensors that share memory on the device also share it here. Examples are views, inputs that are
overwritten, and state that an inference passes to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import BadProgram, UnsupportedOperator
from pilotlight.pte import Method, Tensor


class PlannedMemory:
    """The values of a method. Call `reset` before the first inference.

    values: the method's values, with arrays for tensors.
    named_data: constants that the program stores by name. pte: the whole file.

    Raises UnsupportedOperator or BadProgram if a tensor cannot be placed.
    """

    def __init__(self, method: Method, named_data: Mapping[str, bytes], pte: bytes) -> None:
        self._named_data, self._pte = named_data, pte
        self._buffers = [_zeros(size) for size in method.planned_buffer_sizes]
        self._loose: list[NDArray[Any]] = []
        self._initial: list[tuple[NDArray[np.uint8], int]] = []
        self.values: tuple[Any, ...] = tuple(
            self._place(value) if isinstance(value, Tensor) else value for value in method.values
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of state. State is the memory with initial values."""
        places = {(memory.__array_interface__["data"][0], memory.size) for memory, _ in self._initial}
        return sum(size for _, size in places)

    def reset(self) -> None:
        """Set the memory to its content after the method was loaded."""
        for memory in (*self._buffers, *self._loose):
            memory[...] = 0
        for memory, at in self._initial:
            memory[:] = np.frombuffer(self._pte, np.uint8, memory.size, at)

    def _place(self, tensor: Tensor) -> NDArray[Any]:
        try:
            dtype = np.dtype(tensor.dtype)
        except TypeError:
            raise UnsupportedOperator(f"tensors of type {tensor.dtype} are not simulated") from None
        memory = self._bytes_of(tensor)
        stored = memory.view(dtype).reshape(tuple(tensor.shape[axis] for axis in tensor.dim_order))
        inverse = sorted(range(len(tensor.shape)), key=tensor.dim_order.__getitem__)
        return stored.transpose(inverse)

    def _bytes_of(self, tensor: Tensor) -> NDArray[np.uint8]:
        if tensor.memory is not None:
            buffer, offset = tensor.memory
            memory = self._buffers[buffer - 1][offset : offset + tensor.size_bytes]
            if tensor.initial_at is not None:
                self._initial.append((memory, tensor.initial_at))
            return memory
        memory = _zeros(tensor.size_bytes)
        if not tensor.is_constant:
            self._loose.append(memory)
            return memory
        data = tensor.data if tensor.data is not None else self._named_data.get(tensor.external_name)
        if data is None:
            raise UnsupportedOperator(f"the constant {tensor.external_name!r} is not in the program's own file")
        if len(data) < tensor.size_bytes:
            raise BadProgram(f"the constant {tensor.external_name!r} has {len(data)} of {tensor.size_bytes} bytes")
        memory[:] = np.frombuffer(data, np.uint8, tensor.size_bytes)
        return memory


def _zeros(size_bytes: int) -> NDArray[np.uint8]:
    try:
        return np.zeros(size_bytes, np.uint8)
    except MemoryError:
        raise BadProgram(f"{size_bytes} bytes do not fit this computer's memory") from None
