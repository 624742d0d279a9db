# SPDX-License-Identifier: Apache-2.0
"""Multiplies, shifts and rounds whole arrays, exactly like the NPU.

`Scaling` is the definition, in integers. `OutputStage` (output_stage.py) has a faster way for the
common case, and a proof that it is equal. Tests compare both.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.isa import RoundMode

Integers = NDArray[np.int64]

_INT64_LIMIT = 1 << 63


class Scaling:
    """Computes values * multiplier / 2**shift, rounded.

    multiplier, shift: numbers, or arrays that broadcast (one entry per channel).
    double_bits: for DOUBLE and DOUBLE_UP, which add a second rounding term of
        2**(30 - double_bits).

    The product is exact. Python's integers compute a product that may exceed 64 bits.
    """

    def __init__(
        self, multiplier: Integers | int, shift: Integers | int, mode: RoundMode, double_bits: int = 0
    ) -> None:
        self._multipliers, self._shifts = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
        self._mode = mode
        self._double_bits = double_bits
        largest = max(1, int(self._multipliers.max(initial=0)))
        # With values up to this magnitude, no intermediate result exceeds 64 bits.
        self.safe_magnitude = (_INT64_LIMIT - (2 << int(self._shifts.max(initial=0))) - 1) // largest

    @cached_property
    def _is_identity(self) -> bool:
        return bool((self._multipliers == 1).all() and (self._shifts == 0).all())

    @cached_property
    def _half(self) -> Integers:
        one = np.int64(1)
        return np.where(self._shifts > 0, one << np.maximum(self._shifts - 1, 0), 0)

    @cached_property
    def _first_half(self) -> Integers:
        return np.where(self._shifts > 31 - self._double_bits, np.int64(1) << (30 - self._double_bits), 0)

    def apply(self, values: Integers, largest: int | None = None) -> Integers:
        """Scale `values`. largest: an upper bound of their magnitude, if it is known."""
        if values.size == 0 or self._is_identity:
            return values
        if largest is None or largest > self.safe_magnitude:
            largest = max(-int(values.min()), int(values.max()))
        if largest > self.safe_magnitude:
            # Legal streams give at most 48 bits. For other streams the result saturates.
            big = self._round(values.astype(object), self._multipliers.astype(object), self._shifts.astype(object))
            saturated: Integers = np.clip(big, -_INT64_LIMIT, _INT64_LIMIT - 1).astype(np.int64)
            return saturated
        result: Integers = self._round(values, self._multipliers, self._shifts)
        return result

    def _round(self, values: Any, multipliers: Any, shifts: Any) -> Any:
        products = values * multipliers
        if self._mode is RoundMode.NATURAL:
            products += self._half
        elif self._mode is RoundMode.SYMMETRIC:
            products += self._half - ((values < 0) & (self._shifts > 0))
        elif self._mode is RoundMode.TRUNCATE:
            products += np.where(values >= 0, 0, (np.asarray(1, shifts.dtype) << shifts) - 1)
        elif self._mode is RoundMode.DOUBLE_UP:
            products += self._half + self._first_half
        elif self._mode is RoundMode.DOUBLE:
            products += self._half + np.where(values >= 0, self._first_half, -self._first_half)
        return products >> shifts


def scale(
    values: Integers, multiplier: Integers | int, shift: Integers | int, mode: RoundMode, double_bits: int = 0
) -> Integers:
    """Apply a `Scaling` once."""
    return Scaling(multiplier, shift, mode, double_bits).apply(values)
