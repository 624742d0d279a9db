# SPDX-License-Identifier: Apache-2.0
"""How much memory a program needs on the device, from the .pte alone."""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.codegen.method_pool import method_pool_bytes
from pilotlight.errors import UnsupportedOperator
from pilotlight.pte import DelegateCall, KernelCall, Method, Tensor
from pilotlight.pte.ethos_u import BACKEND, parse_blob

# The delegate asks for whole data cache lines (firmware/ethos_u/include/pilotlight/ethos_u/npu.h).
CACHE_LINE_BYTES = 32

# The linker script aligns the method pool to this, which the structures in it need at most 8 of.
METHOD_POOL_ALIGN_BYTES = 16

# What EthosUBackend keeps for each delegate, at most; backend.cpp asserts it.
HANDLE_POINTERS = 9

# A bound for a runtime whose structures we do not know, per thing it makes one of. The wheel's runtime (64 bit) used
# a sixth of it on four models; see DESIGN.md.
_BASE_WORDS = 256
_WORDS_PER_VALUE = 16
_WORDS_PER_DIMENSION = 4
_WORDS_PER_INSTRUCTION = 32
_WORDS_PER_ARGUMENT = 4
_WORDS_PER_DELEGATE = 32


@dataclass(frozen=True)
class Arenas:
    """Sizes in bytes; each is the size of one static array."""

    method_pool: int
    planned: tuple[int, ...]
    temp_pool: int

    @property
    def npu_visible(self) -> int:
        """What lies in the section .tensor_arena."""
        return sum(_round_up(size, CACHE_LINE_BYTES) for size in (*self.planned, self.temp_pool))


def plan_arenas(method: Method, runtime: str, pointer_bytes: int) -> Arenas:
    """Return the sizes for `method` on a CPU with pointers of `pointer_bytes`.

    All are exact, but for the method pool of a runtime other than "ours", which is a bound.
    Raises UnsupportedOperator for a program that needs a backend other than the Ethos-U's.
    """
    scratch = 0
    for delegate in method.delegates:
        if delegate.backend != BACKEND:
            raise UnsupportedOperator(
                f"the program needs backend {delegate.backend}, which no firmware of ours has",
                hint=f"export with {BACKEND} alone",
            )
        scratch = max(scratch, _round_up(parse_blob(delegate.blob).scratch_size_bytes, CACHE_LINE_BYTES))
    if runtime == "ours":
        method_pool = method_pool_bytes(method, pointer_bytes, handle_bytes=HANDLE_POINTERS * pointer_bytes)
    else:
        method_pool = _method_pool_bound(method, pointer_bytes)
    return Arenas(
        method_pool=_round_up(method_pool, METHOD_POOL_ALIGN_BYTES),
        planned=method.planned_buffer_sizes,
        temp_pool=scratch,
    )


def _method_pool_bound(method: Method, pointer_bytes: int) -> int:
    words = _BASE_WORDS
    for value in method.values:
        words += _WORDS_PER_VALUE
        if isinstance(value, Tensor):
            words += _WORDS_PER_VALUE + _WORDS_PER_DIMENSION * len(value.shape)
        elif isinstance(value, tuple):
            words += _WORDS_PER_ARGUMENT * len(value)
    for chain in method.chains:
        for instruction in chain:
            words += _WORDS_PER_INSTRUCTION
            if isinstance(instruction, KernelCall | DelegateCall):
                words += _WORDS_PER_ARGUMENT * len(instruction.arguments)
    words += (_WORDS_PER_DELEGATE + HANDLE_POINTERS) * len(method.delegates)
    return words * pointer_bytes


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
