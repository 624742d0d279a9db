# SPDX-License-Identifier: Apache-2.0
"""Elementwise operations, up to the output stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.scaling import Integers, Scaling
from pilotlight.npu.stream.isa import ElementwiseMode, RoundMode, ScaleMode

# Operations of U55 and U65 that first bring their operands to the same scale.
SCALED_OPERANDS = frozenset({ElementwiseMode.ADD, ElementwiseMode.SUB})

SHIFTS = frozenset({ElementwiseMode.SHR, ElementwiseMode.SHL, ElementwiseMode.LSR})

# Operations whose result OFM_SCALE does not scale: on U85, and on U55 and U65.
UNSCALED = SHIFTS | {ElementwiseMode.DIV}
UNSCALED_FIRST = UNSCALED | {ElementwiseMode.CLZ, ElementwiseMode.LRELU}

# Operations that need 64-bit integers.
_ON_INTEGERS = SHIFTS | {
    ElementwiseMode.DIV,
    ElementwiseMode.AND,
    ElementwiseMode.OR,
    ElementwiseMode.XOR,
    ElementwiseMode.AND_NOT,
}

_ARITHMETIC = {
    ElementwiseMode.MUL: np.multiply,
    ElementwiseMode.ADD: np.add,
    ElementwiseMode.SUB: np.subtract,
    ElementwiseMode.MIN: np.minimum,
    ElementwiseMode.MAX: np.maximum,
}
_BITWISE = {
    ElementwiseMode.AND: np.bitwise_and,
    ElementwiseMode.OR: np.bitwise_or,
    ElementwiseMode.XOR: np.bitwise_xor,
}
_COMPARISONS = {
    ElementwiseMode.CMP_EQ: np.equal,
    ElementwiseMode.CMP_NE: np.not_equal,
    ElementwiseMode.CMP_GE: np.greater_equal,
    ElementwiseMode.CMP_GT: np.greater,
}


def compares(mode: ElementwiseMode) -> bool:
    """Tell whether the results are truth values."""
    return mode in _COMPARISONS


def needs_integers(mode: ElementwiseMode) -> bool:
    """Tell whether `combine` needs its operands as 64-bit integers."""
    return mode in _ON_INTEGERS


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
    bits: int,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Combine two operands that broadcast, without zero points and at the same scale.

    a, b: of any numeric type that holds operands and result exactly; see `needs_integers`.
    round_mode: of SHR, which adds half of the last bit for NATURAL.
    bits: width of the stored first operand. LSR shifts its bits, with zeros above.
    out: memory for an arithmetic result of the same type.
    """
    if swapped:
        a, b = b, a
    if mode in _ARITHMETIC:
        result: NDArray[Any] = _ARITHMETIC[mode](a, b, out=out)
        return result
    if mode in _COMPARISONS:
        # True is a number with all bits set.
        all_ones: Integers = np.where(_COMPARISONS[mode](a, b), -1, 0)
        return all_ones
    if mode in _BITWISE:
        combined: NDArray[Any] = _BITWISE[mode](a, b)
        return combined
    if mode is ElementwiseMode.AND_NOT:
        kept: NDArray[Any] = a & ~b
        return kept
    if mode is ElementwiseMode.DIV:
        return _quotient(a, b)
    return _shift(mode, a, b, round_mode, bits)


def _quotient(a: Integers, b: Integers) -> Integers:
    """Divide towards zero. A division by zero does not occur in a legal stream; it gives 0 here."""
    divisor = np.where(b == 0, 1, np.abs(b))
    magnitude = np.where(b == 0, 0, np.abs(a) // divisor)
    found: Integers = np.where((a < 0) != (b < 0), -magnitude, magnitude)
    return found


def _shift(mode: ElementwiseMode, a: Integers, b: Integers, round_mode: RoundMode, bits: int) -> Integers:
    # Illegal shift distances do not occur. The mask prevents an error.
    distance = b & 63
    if mode is ElementwiseMode.SHL:
        wrapped: Integers = (a << distance).astype(np.int32).astype(np.int64)
        return wrapped
    if mode is ElementwiseMode.LSR:
        a = a & (1 << bits) - 1
    elif round_mode is RoundMode.NATURAL:
        # Half of the last remaining bit: 1 << distance - 1, or 0 if nothing is shifted out.
        a = a + (np.int64(1) << distance >> 1)
    shifted: Integers = a >> distance
    return shifted


def leaky(a: Integers, positive: Scaling | None, negative: Scaling) -> Integers:
    """Return the result of LRELU: two scales, by sign. positive: None for the value itself."""
    return np.where(a >= 0, a if positive is None else positive.apply(a), negative.apply(a))


def unary(mode: ElementwiseMode, a: Integers) -> Integers:
    """Return the result of ABS, NOT or CLZ."""
    if mode is ElementwiseMode.ABS:
        return np.abs(a)
    if mode is ElementwiseMode.NOT:
        return ~a
    # For a positive integer, frexp returns its number of bits as the exponent.
    _, bits = np.frexp(np.maximum(a, 0).astype(np.float64))
    return np.where(a < 0, 0, 32 - bits.astype(np.int64))
