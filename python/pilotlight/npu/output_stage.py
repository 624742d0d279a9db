# SPDX-License-Identifier: Apache-2.0
"""From accumulators to stored elements: scale, round, zero point, clip, table, store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pilotlight.npu.activation import ActivationTable
from pilotlight.npu.isa import RoundMode
from pilotlight.npu.scaling import Integers, scale

# Rows of an accumulator are treated in pieces of about this many elements, so that intermediate results stay in the
# processor's cache.
_PIECE_ELEMENTS = 1 << 15

_DOUBLE_MANTISSA_BITS = 53
# DOUBLE rounds differently from NATURAL only beyond this shift, and on ties of negative values never (see scaling).
_SINGLE_ROUNDING_SHIFT = 31


@dataclass(frozen=True)
class OutputStage:
    """What happens to an accumulator.

    multiplier, shift: numbers, or arrays with one entry per channel.
    limits: lowest and highest value after the zero point, or None where the hardware does not clip.
    """

    multiplier: Integers | int
    shift: Integers | int
    round_mode: RoundMode
    zero_point: int
    limits: tuple[int, int] | None
    table: ActivationTable | None
    dtype: DTypeLike

    @cached_property
    def _float_scale(self) -> NDArray[np.float64] | None:
        """multiplier / 2**shift when double precision gives the exact result, else None.

        An accumulator is an integer N below 2**53 and the quotient exact, because dividing by a power of two only
        changes the exponent. The product N * multiplier may be rounded, but only when it has more than 53 bits. With
        s = shift, the result is then beyond 2**(53 - s), and if that is beyond the clip limits (with one bit to spare
        for the zero point and the rounding term), the wrong low bits are clipped away.
        """
        if self.limits is None:
            return None
        largest_shift = int(np.max(self.shift))
        if self.round_mode is RoundMode.TRUNCATE or (
            self.round_mode is RoundMode.DOUBLE and largest_shift > _SINGLE_ROUNDING_SHIFT
        ):
            return None
        span = max(abs(limit - self.zero_point) for limit in self.limits) + abs(self.zero_point) + 1
        if span.bit_length() + 1 + largest_shift >= _DOUBLE_MANTISSA_BITS:
            return None
        return np.ldexp(np.asarray(self.multiplier, np.float64), -np.asarray(self.shift, np.int32))

    def apply(self, accumulators: NDArray[Any], bias: NDArray[np.float64] | None = None) -> NDArray[Any]:
        """Return stored elements in the shape of `accumulators`, whose last axis is the channel.

        accumulators hold exact integers below 2**53 in any numeric type.
        """
        rows = accumulators.reshape(-1, accumulators.shape[-1])
        result = np.empty(rows.shape, self.dtype)
        step = max(1, _PIECE_ELEMENTS // max(1, rows.shape[1]))
        piece = self._piece if self._float_scale is None else self._float_piece
        for start in range(0, len(rows), step):
            piece(rows[start : start + step], bias, result[start : start + step])
        return result.reshape(accumulators.shape)

    def _float_piece(self, accumulators: NDArray[Any], bias: NDArray[np.float64] | None, result: NDArray[Any]) -> None:
        assert self._float_scale is not None and self.limits is not None
        if bias is None:
            values = np.multiply(accumulators, self._float_scale, dtype=np.float64)
        else:
            values = np.add(accumulators, bias, dtype=np.float64)
            values *= self._float_scale
        values += self.zero_point + 0.5
        np.floor(values, out=values)
        np.maximum(values, self.limits[0], out=values)
        np.minimum(values, self.limits[1], out=values)
        result[...] = values if self.table is None else self._store(self.table.look_up(values.astype(np.int64)))

    def _piece(self, accumulators: NDArray[Any], bias: NDArray[np.float64] | None, result: NDArray[Any]) -> None:
        values = accumulators.astype(np.int64)
        if bias is not None:
            values += bias.astype(np.int64)
        values = scale(values, self.multiplier, self.shift, self.round_mode)
        values += self.zero_point
        if self.limits is not None:
            values = np.clip(values, *self.limits)
        if self.table is not None:
            values = self.table.look_up(values)
        result[...] = self._store(values)

    def _store(self, values: Integers) -> Integers:
        bounds = np.iinfo(np.dtype(self.dtype))
        return np.clip(values, bounds.min, bounds.max)
