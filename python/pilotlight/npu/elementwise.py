# SPDX-License-Identifier: Apache-2.0
"""Elementwise operations, up to the output stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pilotlight.npu.isa import ElementwiseMode, RoundMode, ScaleMode
from pilotlight.npu.scaling import Integers, scale

UNARY = frozenset({ElementwiseMode.LRELU, ElementwiseMode.ABS, ElementwiseMode.CLZ})

# Operations whose result is stored as it is, whatever OFM_SCALE holds.
UNSCALED = frozenset({ElementwiseMode.SHR, ElementwiseMode.SHL, ElementwiseMode.CLZ, ElementwiseMode.LRELU})


@dataclass(frozen=True)
class OperandScaling:
    """How ADD and SUB bring their operands to one scale; a and b are IFM and IFM2, before any swap.

    fraction_bits: how far the operand that is not scaled by 32 bits is shifted left: 19 for 8-bit data, 14 for 16.
    """

    mode: ScaleMode
    round_mode: RoundMode
    a_scale: int
    a_shift: int
    b_scale: int
    fraction_bits: int

    def apply(self, a: Integers, b: Integers) -> tuple[Integers, Integers]:
        if self.mode is ScaleMode.OPA_OPB_16:
            return a * (self.a_scale & 0xFFFF), b * self.b_scale
        if self.mode is ScaleMode.OPA_32:
            return self._wide(a), b << self.fraction_bits
        return a << self.fraction_bits, self._wide(b)

    def _wide(self, values: Integers) -> Integers:
        return scale(values, self.a_scale, self.a_shift, self.round_mode, self.fraction_bits + 1)


def combine(
    mode: ElementwiseMode,
    a: Integers,
    b: Integers,
    scaling: OperandScaling,
    *,
    swapped: bool,
    round_mode: RoundMode,
) -> Integers:
    """Combine two operands, which broadcast, without their zero points."""
    if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
        a, b = scaling.apply(a, b)
    if swapped:
        a, b = b, a
    if mode is ElementwiseMode.MUL:
        return a * b
    if mode is ElementwiseMode.ADD:
        return a + b
    if mode is ElementwiseMode.SUB:
        return a - b
    if mode is ElementwiseMode.MIN:
        return np.minimum(a, b)
    if mode is ElementwiseMode.MAX:
        return np.maximum(a, b)
    # Shifts by what is no number of bits do not occur; masked, they cannot fail.
    distance = b & 63
    if mode is ElementwiseMode.SHL:
        wrapped: Integers = (a << distance).astype(np.int32).astype(np.int64)
        return wrapped
    half = np.where((distance > 0) & (round_mode is RoundMode.NATURAL), np.int64(1) << np.maximum(distance - 1, 0), 0)
    shifted: Integers = (a + half) >> distance
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
