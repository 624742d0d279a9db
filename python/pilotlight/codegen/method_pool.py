# SPDX-License-Identifier: Apache-2.0
"""Computes from the .pte how many bytes `load_method` of our runtime takes from the method
allocator.

This module repeats each allocation of firmware/executorch (listed in its SPEC.md), with the gaps
that alignment causes, so the result is exact. firmware/executorch/method_load.cpp asserts the sizes
below.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.pte import DelegateCall, KernelCall, Method, Tensor
from pilotlight.pte.program import TensorList

_INT64_BYTES = 8
_STRIDE_BYTES = 4
_SIZE_BYTES = 4


@dataclass(frozen=True)
class _Sizes:
    """Sizes of the C++ structures in bytes.

    A structure with a 64-bit integer is aligned to 8 bytes, any other to the size of a pointer.
    """

    evalue: int
    tensor_impl: int
    backend_delegate: int
    compile_spec: int
    instruction: int
    chain: int
    named_data: int


_SIZES = {
    4: _Sizes(evalue=16, tensor_impl=32, backend_delegate=40, compile_spec=12, instruction=12, chain=8, named_data=40),
    8: _Sizes(evalue=16, tensor_impl=64, backend_delegate=56, compile_spec=24, instruction=24, chain=16, named_data=48),
}


class _Pool:
    """A bump allocator that only counts. The real pool starts at a multiple of 8."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, size: int, alignment: int) -> None:
        self.used = -(-self.used // alignment) * alignment + size


def method_pool_bytes(method: Method, pointer_bytes: int = 4, *, handle_bytes: int = 0) -> int:
    """Return the bytes that loading `method` takes.

    pointer_bytes: 4 or 8. handle_bytes: the bytes that the backend allocates for each delegate.
    """
    sizes = _SIZES[pointer_bytes]
    pointer = pointer_bytes
    pool = _Pool()
    external = sum(isinstance(value, Tensor) and value.external_name != "" for value in method.values)
    if external:
        pool.take(3 * pointer, pointer)  # Map of the named data of .pte and caller.
    pool.take(len(method.values) * sizes.evalue, 8)
    pool.take(len(method.input_values), 1)
    if external:
        pool.take(external * sizes.named_data, 8)
    for kind, value in zip(method.value_types, method.values, strict=True):
        if isinstance(value, Tensor):
            pool.take(sizes.tensor_impl, pointer)
            pool.take(len(value.shape) * _STRIDE_BYTES, 4)
            if value.dynamic:
                pool.take(len(value.shape) * _SIZE_BYTES, 4)
        elif isinstance(value, TensorList):
            pool.take(len(value.items) * pointer, pointer)
            pool.take(len(value.items) * pointer * (2 if kind == "OptionalTensorList" else 1), pointer)
            pool.take(3 * pointer, pointer)
        elif kind in ("String", "DoubleList", "BoolList"):
            pool.take(2 * pointer, pointer)  # A view of the data in the .pte.
        elif kind == "IntList":
            assert isinstance(value, tuple)
            pool.take(len(value) * pointer, pointer)
            pool.take(len(value) * _INT64_BYTES, 8)
            pool.take(3 * pointer, pointer)
    pool.take(len(method.delegates) * sizes.backend_delegate, 8)
    for delegate in method.delegates:
        pool.take(len(delegate.compile_specs) * sizes.compile_spec, pointer)
        if handle_bytes:
            pool.take(handle_bytes, pointer)
    pool.take(len(method.chains) * sizes.chain, pointer)
    for chain in method.chains:
        pool.take(len(chain) * sizes.instruction, pointer)
        for instruction in chain:
            if isinstance(instruction, KernelCall | DelegateCall):
                pool.take(len(instruction.arguments) * pointer, pointer)
    return pool.used
