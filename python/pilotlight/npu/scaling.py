# SPDX-License-Identifier: Apache-2.0
"""Multiply, shift, round: exactly as the NPU does, on whole arrays.

`scale` is the definition, in integers. `OutputStage.apply` (output_stage.py) has a faster way for the common case
and says why it is equal; tests compare the two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.isa import RoundMode

Integers = NDArray[np.int64]

_INT64_LIMIT = 1 << 63


def scale(
    values: Integers,
    multiplier: Integers | int,
    shift: Integers | int,
    mode: RoundMode,
    double_bits: int = 0,
) -> Integers:
    """Return values * multiplier / 2**shift, rounded.

    multiplier and shift are numbers or arrays that broadcast (one per channel). DOUBLE rounds as if first to
    31 - double_bits fraction bits and then to the result. The product is exact: where it may exceed 64 bits, Python's
    integers do the work.
    """
    multipliers, shifts = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    if values.size == 0:
        return values
    magnitude = max(-int(values.min()), int(values.max())) * int(multipliers.max(initial=0))
    if magnitude + (2 << int(shifts.max(initial=0))) >= _INT64_LIMIT:
        big = _round(values.astype(object), multipliers.astype(object), shifts.astype(object), mode, double_bits)
        # The result is at most 48 bits wide on legal streams; on others it saturates instead of failing.
        saturated: Integers = np.clip(big, -_INT64_LIMIT, _INT64_LIMIT - 1).astype(np.int64)
        return saturated
    result: Integers = _round(values, multipliers, shifts, mode, double_bits)
    return result


def _round(values: Any, multipliers: Any, shifts: Any, mode: RoundMode, double_bits: int) -> Any:
    one = np.asarray(1, shifts.dtype)
    half = np.where(shifts > 0, one << np.maximum(shifts - 1, 0), 0)
    if mode is RoundMode.NATURAL:
        add = half
    elif mode is RoundMode.TRUNCATE:
        add = np.where(values >= 0, 0, (one << shifts) - 1)
    else:
        first = np.where(shifts > 31 - double_bits, one << (30 - double_bits), 0)
        add = half + np.where(values >= 0, first, -first)
    return (values * multipliers + add) >> shifts
