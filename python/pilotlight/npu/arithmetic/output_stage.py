# SPDX-License-Identifier: Apache-2.0
"""Turns accumulators into stored elements: scale, round, zero point, clip, table, store."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.activation import ActivationTable
from pilotlight.npu.arithmetic.scaling import Integers, Scaling
from pilotlight.npu.compiled.loops import Store
from pilotlight.npu.stream.isa import RoundMode

# Accumulators are processed in pieces of about this size, so that they stay in the cache.
_PIECE_ELEMENTS = 1 << 15
# Factors per channel are repeated up to about this row length, because short rows are slow.
_LANE_ELEMENTS = 1 << 12

_DOUBLE_MANTISSA_BITS = 53
# Up to this shift, DOUBLE without double_bits rounds like NATURAL (see scaling.py).
_SINGLE_ROUNDING_SHIFT = 31


@lru_cache(maxsize=1024)
def _repeats(rows: int, channels: int) -> int:
    """Return the number of rows to join into one, a divisor of `rows`."""
    most = min(rows, max(1, _LANE_ELEMENTS // channels))
    return max(count for count in range(1, most + 1) if rows % count == 0)


@dataclass(frozen=True)
class OutputStage:
    """The steps from an accumulator to a stored element.

    multiplier, shift: numbers, or arrays with one entry per channel.
    limits: lowest and highest value after the zero point, None if the hardware does not clip.
    bias: per channel, added first.
    double_bits: see scaling.py.
    wraps: whether a value that the type cannot hold loses its upper bits; otherwise it saturates.
    """

    multiplier: Integers | int
    shift: Integers | int
    round_mode: RoundMode
    zero_point: int
    limits: tuple[int, int] | None
    table: ActivationTable | None
    dtype: np.dtype[Any]
    bias: NDArray[np.float64] | None = None
    double_bits: int = 0
    wraps: bool = False
    _repeated: dict[int, tuple[NDArray[np.float64], NDArray[np.float64] | None]] = field(
        default_factory=dict, init=False, repr=False
    )
    _loops: dict[tuple[int, str], Store | None] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _float_scale(self) -> NDArray[np.float64] | None:
        """multiplier / 2**shift if double precision gives the exact result, otherwise None.

        The quotient is exact, because a division by a power of two only changes the exponent. An
        accumulator is an integer N below 2**53. The product N * multiplier is rounded only if it
        has more than 53 bits. With s = shift, the result is then at least 2**(53 - s). If this
        exceeds the clip limits, with one spare bit for the zero point and the rounding term, the
        clip removes the rounded bits.
        """
        if self.limits is None:
            return None
        largest_shift = int(np.max(self.shift))
        if self.round_mode in (RoundMode.TRUNCATE, RoundMode.SYMMETRIC) or (
            self.round_mode in (RoundMode.DOUBLE, RoundMode.DOUBLE_UP)
            and largest_shift > _SINGLE_ROUNDING_SHIFT - self.double_bits
        ):
            return None
        span = max(abs(limit - self.zero_point) for limit in self.limits) + abs(self.zero_point) + 1
        if span.bit_length() + 1 + largest_shift >= _DOUBLE_MANTISSA_BITS:
            return None
        return np.ldexp(np.asarray(self.multiplier, np.float64), -np.asarray(self.shift, np.int32))

    @property
    def _offset(self) -> float:
        """What floor() follows: half, if it rounds to nearest."""
        return self.zero_point + (0.0 if self.round_mode is RoundMode.DOWN else 0.5)

    @cached_property
    def _scaling(self) -> Scaling:
        return Scaling(self.multiplier, self.shift, self.round_mode, self.double_bits)

    @cached_property
    def per_channel(self) -> bool:
        """Whether channels have different factors or biases."""
        return self.bias is not None or np.ndim(self.multiplier) > 0 or np.ndim(self.shift) > 0

    @cached_property
    def _storable(self) -> tuple[int, int]:
        bounds = np.iinfo(self.dtype)
        return int(bounds.min), int(bounds.max)

    @cached_property
    def _limits_are_storable(self) -> bool:
        low, high = self._storable
        return self.limits is not None and all(low <= limit <= high for limit in self.limits)

    def apply(self, accumulators: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the stored elements in the shape of `accumulators`.

        accumulators: exact integers below 2**53 in any numeric type; the last axis is the channel.
        out: contiguous memory for the result.
        """
        if out is None:
            out = np.empty(accumulators.shape, self.dtype)
        if self._float_scale is None:
            out[...] = self._in_integers(accumulators)
            return out
        channels = accumulators.shape[-1] if self.per_channel else 1
        repeats = _repeats(prod(accumulators.shape) // channels, channels) if self.per_channel else 1
        loop = self._loop(repeats, accumulators.dtype)
        if loop is not None and accumulators.flags.c_contiguous:
            loop(accumulators, out)
        else:
            self._in_doubles(accumulators, repeats, out)
        return out

    def _loop(self, repeats: int, accumulators: np.dtype[Any]) -> Store | None:
        """Return the compiled loop for accumulators of this type, None if NumPy has to compute."""
        if self.table is not None or not self._limits_are_storable:
            return None
        key = repeats, accumulators.char
        if key not in self._loops:
            assert self.limits is not None
            scale, bias = self._lanes(repeats)
            self._loops[key] = Store.of(
                accumulators, self.dtype, scale=scale, bias=bias, offset=self._offset, limits=self.limits
            )
        return self._loops[key]

    def _in_doubles(self, accumulators: NDArray[Any], repeats: int, out: NDArray[Any]) -> None:
        scale, bias = self._lanes(repeats)
        lanes = accumulators.shape[-1] * repeats if self.per_channel else 1
        rows, results = (
            (accumulators.reshape(-1, lanes), out.reshape(-1, lanes))
            if self.per_channel
            else (accumulators.reshape(-1), out.reshape(-1))
        )
        step = max(1, _PIECE_ELEMENTS // lanes)
        for start in range(0, len(rows), step):
            self._float_piece(rows[start : start + step], scale, bias, results[start : start + step])

    def _lanes(self, repeats: int) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return scale and bias for rows of `repeats` times the channels."""
        found = self._repeated.get(repeats)
        if found is None:
            assert self._float_scale is not None
            scale, bias = self._float_scale, self.bias
            found = self._repeated[repeats] = (
                np.tile(scale, repeats) if scale.ndim and repeats > 1 else scale,
                np.tile(bias, repeats) if bias is not None and repeats > 1 else bias,
            )
        return found

    def _float_piece(
        self,
        accumulators: NDArray[Any],
        scale: NDArray[np.float64],
        bias: NDArray[np.float64] | None,
        result: NDArray[Any],
    ) -> None:
        assert self.limits is not None
        if bias is None:
            values = np.multiply(accumulators, scale, dtype=np.float64)
        else:
            values = np.add(accumulators, bias, dtype=np.float64)
            values *= scale
        values += self._offset
        np.floor(values, out=values)
        # np.maximum and np.minimum check for NaN and take six times as long.
        values.clip(*self.limits, out=values)
        result[...] = values if self.table is None else self._store(self.table.look_up(values.astype(np.int64)))

    def _in_integers(self, accumulators: NDArray[Any]) -> Integers:
        values: Integers = accumulators.astype(np.int64)
        if self.bias is not None:
            values += self.bias.astype(np.int64)
        values = self._scaling.apply(values)
        if self.zero_point:
            values = values + self.zero_point
        if self.limits is not None:
            values = _within(values, self.limits)
            if self.table is None and self._limits_are_storable:
                return values
        if self.table is not None:
            values = self.table.look_up(values)
        return self._store(values)

    def _store(self, values: Integers) -> Integers:
        if self.wraps:  # The conversion to the output's type drops the upper bits.
            return values
        return _within(values, self._storable)


def _within(values: Integers, limits: tuple[int, int]) -> Integers:
    """Clip integers. clip() checks the limits' type first, which takes longer than this."""
    lowest, highest = limits
    clipped: Integers = np.minimum(np.maximum(values, lowest), highest)
    return clipped
