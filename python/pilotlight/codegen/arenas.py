# SPDX-License-Identifier: Apache-2.0
"""Computes the memory that a program needs on the device, and what may be shared, from the .pte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pilotlight.bundle import Tie
from pilotlight.codegen.method_pool import method_pool_bytes
from pilotlight.codegen.state import carries_over, find_state
from pilotlight.codegen.ties import tied_buffer
from pilotlight.errors import UnsupportedOperator
from pilotlight.pte import DelegateCall, JumpFalseCall, KernelCall, Method, Tensor
from pilotlight.pte.ethos_u import BACKEND, INPUT_REGION, OUTPUT_REGION, SCRATCH_REGION, EthosUBlob, parse_blob

# The driver requires whole data cache lines (firmware/ethos_u/include/pilotlight/ethos_u/npu.h).
CACHE_LINE_BYTES = 32

# Bytes of EthosUBackend's handle for each delegate, by pointer size; backend.cpp asserts them.
HANDLE_BYTES = {4: 44, 8: 72}

# Words of the bound for a runtime whose structures are unknown. On four models the wheel's 64-bit
# runtime used a sixth of the bound; see DESIGN.md.
_BASE_WORDS = 256
_WORDS_PER_VALUE = 16
_WORDS_PER_DIMENSION = 4
_WORDS_PER_INSTRUCTION = 32
_WORDS_PER_ARGUMENT = 4
_WORDS_PER_DELEGATE = 32


@dataclass(frozen=True)
class Arenas:
    """The memory that one model needs, in bytes.

    in_place: inputs and outputs lie where the NPU reads and writes them. Planned buffer 1 and the
        temp pool are then the same memory.
    state_buffer: number of the planned buffer that holds the state, from 1; 0 if there is none.
    tied_buffer: number of the planned buffer that holds the tied inputs; 0 if there is none.
        State and tied inputs keep their contents between inferences and are no part of the arena.
    carries_over: another planned buffer may also keep contents that a later inference reads.
    method_pool_is_exact: if false, `method_pool` is an upper bound.
    temp_pool_is_exact: if false, an inference may use less, because a jump may skip the instruction
        that needs most.
    """

    method_pool: int
    planned: tuple[int, ...]
    temp_pool: int
    in_place: bool = False
    state_buffer: int = 0
    tied_buffer: int = 0
    carries_over: bool = False
    method_pool_is_exact: bool = True
    temp_pool_is_exact: bool = True

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Arenas:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**values, "planned": tuple(values["planned"])})

    @property
    def planned_offsets(self) -> tuple[int, ...]:
        """Byte offset of each planned buffer in the model's arena; 0 for a buffer that is kept."""
        offsets = []
        at = 0
        for number, size in enumerate(self.planned, start=1):
            offsets.append(0 if number in self.kept else at)
            at += 0 if number in self.kept else _round_up(size, CACHE_LINE_BYTES)
        return tuple(offsets)

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of the planned buffers that keep their contents between inferences."""
        return tuple(number for number in (self.state_buffer, self.tied_buffer) if number)

    @property
    def kept_bytes(self) -> int:
        """Bytes of state and tied inputs, in whole cache lines, which are no part of the arena."""
        return sum(_round_up(self.planned[number - 1], CACHE_LINE_BYTES) for number in self.kept)

    @property
    def temp_pool_offset(self) -> int:
        """Byte offset of the temp pool in the model's arena."""
        return 0 if self.in_place else self._overwritten

    @property
    def npu_visible(self) -> int:
        """Bytes of the model's arena: everything that an inference overwrites."""
        if self.in_place:
            return max(self._overwritten, self.temp_pool)
        return self._overwritten + _round_up(self.temp_pool, CACHE_LINE_BYTES)

    @property
    def _overwritten(self) -> int:
        return sum(_round_up(size, CACHE_LINE_BYTES) for size in self.planned) - self.kept_bytes


def plan_arenas(method: Method, runtime: str, pointer_bytes: int, ties: Sequence[Tie] = ()) -> Arenas:
    """Return the sizes for `method` with runtime "ours" or "package".

    pointer_bytes: 4 or 8. ties: outputs that the next inference takes as inputs.

    Raises UnsupportedOperator if the program needs a backend other than the Ethos-U's, and
    BadProgram if an inference would overwrite its state or a tied input.
    """
    for delegate in method.delegates:
        if delegate.backend != BACKEND:
            raise UnsupportedOperator(
                f"the program needs backend {delegate.backend}, which the firmware does not have",
                hint=f"export with {BACKEND} alone",
            )
    if runtime == "ours":
        method_pool = method_pool_bytes(method, pointer_bytes, handle_bytes=HANDLE_BYTES[pointer_bytes])
    else:
        method_pool = _method_pool_bound(method, pointer_bytes)
    state = find_state(method)
    tied = tied_buffer(method, ties)
    return Arenas(
        method_pool=method_pool,
        planned=method.planned_buffer_sizes,
        temp_pool=_temp_pool(method),
        in_place=_is_in_place(method, tied),
        state_buffer=state.buffer if state else 0,
        tied_buffer=tied,
        carries_over=carries_over(method, state),
        method_pool_is_exact=runtime == "ours",
        temp_pool_is_exact=not any(isinstance(step, JumpFalseCall) for chain in method.chains for step in chain),
    )


def _temp_pool(method: Method) -> int:
    """Return the most that one instruction needs; the runtime resets the pool after each.

    A delegate needs its scratch, and the regions of its inputs and outputs if it has them, each
    rounded up to whole cache lines. Our kernels need nothing. A test checks that; a kernel that
    needs memory must be added here.
    """
    return max((_delegate_bytes(parse_blob(delegate.blob)) for delegate in method.delegates), default=0)


def _delegate_bytes(blob: EthosUBlob) -> int:
    sizes = (blob.scratch_size_bytes, blob.io_bytes(INPUT_REGION), blob.io_bytes(OUTPUT_REGION))
    return sum(_round_up(size, CACHE_LINE_BYTES) for size in sizes)


def _is_in_place(method: Method, tied: int) -> bool:
    """Whether the program is one delegate call whose arguments lie at their scratch offsets.

    tied: the planned buffer of the arguments that the delegate copies instead; 0: there are none.
    """
    if len(method.chains) != 1 or len(method.chains[0]) != 1:
        return False
    if len(method.planned_buffer_sizes) != 1 + bool(tied) or tied == 1:
        return False
    (call,) = method.chains[0]
    if not isinstance(call, DelegateCall):
        return False
    blob = parse_blob(method.delegates[call.delegate].blob)
    values = [method.values[index] for index in call.arguments]
    tensors = (*blob.inputs, *blob.outputs)
    return len(tensors) == len(values) and all(
        isinstance(value, Tensor)
        and value.memory is not None
        and (value.memory[0] == tied or (tensor.region == SCRATCH_REGION and value.memory == (1, tensor.offset)))
        for tensor, value in zip(tensors, values, strict=True)
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
    words += _WORDS_PER_DELEGATE * len(method.delegates)
    return words * pointer_bytes + HANDLE_BYTES[pointer_bytes] * len(method.delegates)


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
