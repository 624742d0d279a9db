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

# Operations that first bring their operands to the same scale.
SCALED_OPERANDS = frozenset({ElementwiseMode.ADD, ElementwiseMode.SUB})

# Operations whose result OFM_SCALE does not scale.
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
    """The ways in which ADD and SUB bring their operands to the same scale.

    a is the operand left of the sign, b the one right of it, after a swap. This is inferred: Vela
    names the other operand if it swaps them (register_command_stream_generator.py,
    generate_scaling_for_elementwise), and upstream's test_rsub and test_scalar_tensor pass on the
    FVP.

    fraction_bits: left shift of the operand that is not scaled by 32 bits, 19 for 8-bit and 14 for
        16-bit data.
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
    mode: ElementwiseMode,
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    swapped: bool,
    round_mode: RoundMode,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Combine two operands that broadcast, without zero points and at the same scale.

    a, b: of any numeric type that holds operands and result exactly; 64-bit integers for shifts.
    out: memory for the result of the same type; shifts do not use it.
    """
    if swapped:
        a, b = b, a
    if mode in _ARITHMETIC:
        result: NDArray[Any] = _ARITHMETIC[mode](a, b, out=out)
        return result
    # Illegal shift distances do not occur. The mask prevents an error.
    distance = b & 63
    if mode is ElementwiseMode.SHL:
        wrapped: Integers = (a << distance).astype(np.int32).astype(np.int64)
        return wrapped
    if round_mode is RoundMode.NATURAL:
        # Half of the last remaining bit: 1 << distance - 1, or 0 if nothing is shifted out.
        a = a + (np.int64(1) << distance >> 1)
    shifted: Integers = a >> distance
    return shifted


def unary(mode: ElementwiseMode, a: Integers, multiplier: int, shift: int, round_mode: RoundMode) -> Integers:
    """Return the result of ABS, LRELU or CLZ.

    multiplier, shift, round_mode: the output's scale, with which LRELU scales negative values.
    """
    if mode is ElementwiseMode.ABS:
        return np.abs(a)
    if mode is ElementwiseMode.LRELU:
        return np.where(a >= 0, a, scale(a, multiplier, shift, round_mode))
    # For a positive integer, frexp returns its number of bits as the exponent.
    _, bits = np.frexp(np.maximum(a, 0).astype(np.float64))
    return np.where(a < 0, 0, 32 - bits.astype(np.int64))
