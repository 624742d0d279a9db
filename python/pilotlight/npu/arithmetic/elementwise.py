# SPDX-License-Identifier: Apache-2.0
"""Elementwise operations, up to the output stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.scaling import Integers, Scaling, scale
from pilotlight.npu.stream.isa import ElementwiseMode, RoundMode, ScaleMode

# Operations that bring their operands to one scale first.
SCALED_OPERANDS = frozenset({ElementwiseMode.ADD, ElementwiseMode.SUB})

# Operations whose result is stored as it is, whatever OFM_SCALE holds.
UNSCALED = frozenset({ElementwiseMode.SHR, ElementwiseMode.SHL, ElementwiseMode.CLZ, ElementwiseMode.LRELU})

SHIFTS = frozenset({ElementwiseMode.SHR, ElementwiseMode.SHL})

_ARITHMETIC = {
    ElementwiseMode.MUL: np.multiply,
    ElementwiseMode.ADD: np.add,
    ElementwiseMode.SUB: np.subtract,
    ElementwiseMode.MIN: np.minimum,
    ElementwiseMode.MAX: np.maximum,
}


@dataclass(frozen=True)
class OperandScaling:
    """How ADD and SUB bring their operands to one scale; a is left of the sign and b right of it, after any swap.

    Inferred: Vela names the other operand when it swaps them (register_command_stream_generator.py,
    generate_scaling_for_elementwise), and upstream's test_rsub and test_scalar_tensor pass on the FVP.

    fraction_bits: how far the operand that is not scaled by 32 bits is shifted left: 19 for 8-bit data, 14 for 16.
    """

    mode: ScaleMode
    round_mode: RoundMode
    a_scale: int
    a_shift: int
    b_scale: int
    fraction_bits: int

    def first(self, a: Integers) -> Integers:
        if self.mode is ScaleMode.OPA_OPB_16:
            return a * (self.a_scale & 0xFFFF)
        return self._wide.apply(a) if self.mode is ScaleMode.OPA_32 else a << self.fraction_bits

    def second(self, b: Integers) -> Integers:
        if self.mode is ScaleMode.OPA_OPB_16:
            return b * self.b_scale
        return self._wide.apply(b) if self.mode is ScaleMode.OPB_32 else b << self.fraction_bits

    @cached_property
    def _wide(self) -> Scaling:
        return Scaling(self.a_scale, self.a_shift, self.round_mode, self.fraction_bits + 1)


def combine(
    mode: ElementwiseMode, a: NDArray[Any], b: NDArray[Any], *, swapped: bool, round_mode: RoundMode
) -> NDArray[Any]:
    """Combine two operands, which broadcast, without their zero points and at one scale.

    Any numeric type that holds operands and result exactly; shifts want 64-bit integers.
    """
    if swapped:
        a, b = b, a
    if mode in _ARITHMETIC:
        result: NDArray[Any] = _ARITHMETIC[mode](a, b)
        return result
    # Shifts by what is no number of bits do not occur; masked, they cannot fail.
    distance = b & 63
    if mode is ElementwiseMode.SHL:
        wrapped: Integers = (a << distance).astype(np.int32).astype(np.int64)
        return wrapped
    if round_mode is RoundMode.NATURAL:
        # Half of the last bit that stays: 1 << distance - 1, and 0 when nothing is shifted out.
        a = a + (np.int64(1) << distance >> 1)
    shifted: Integers = a >> distance
    return shifted


def unary(mode: ElementwiseMode, a: Integers, multiplier: int, shift: int, round_mode: RoundMode) -> Integers:
    """LRELU scales what is negative with the output's scale, and only that."""
    if mode is ElementwiseMode.ABS:
        return np.abs(a)
    if mode is ElementwiseMode.LRELU:
        return np.where(a >= 0, a, scale(a, multiplier, shift, round_mode))
    # The exponent that frexp returns is the number of bits of a positive integer.
    _, bits = np.frexp(np.maximum(a, 0).astype(np.float64))
    return np.where(a < 0, 0, 32 - bits.astype(np.int64))
