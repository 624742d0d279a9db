# SPDX-License-Identifier: Apache-2.0
"""Activation tables: the last step of an operation, after rounding and clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.scaling import Integers

TABLE_SLOT_BYTES = 256
# Entries of a table for 16-bit values: each covers 128 of them, with a base and a slope in halves of a word.
_SEGMENTS = 512
_SEGMENT_BITS = 7


@dataclass(frozen=True)
class ActivationTable:
    """A table in the NPU's own memory.

    data: bytes from the start of the table to the end of that memory.
    wide_index: indexed by 16-bit values, with interpolation; otherwise by 8-bit ones.
    """

    data: NDArray[np.uint8]
    signed: bool
    wide_index: bool
    result_bytes: int

    @property
    def size_bytes(self) -> int:
        return _SEGMENTS * 4 if self.wide_index else 256 * self.result_bytes

    def look_up(self, values: Integers) -> Integers:
        """`values` are within the index's range: the clip before saw to it."""
        raw = self.data[: self.size_bytes].tobytes()
        if self.wide_index:
            words = np.frombuffer(raw, "<i2").reshape(_SEGMENTS, 2).astype(np.int64)
            position = values + (1 << 15 if self.signed else 0)
            base, slope = words[position >> _SEGMENT_BITS].transpose(-1, *range(position.ndim))
            rise = slope * (position & (1 << _SEGMENT_BITS) - 1)
            exact: Integers = base * (1 << _SEGMENT_BITS) + rise
            rounded: Integers = base + (rise + (1 << _SEGMENT_BITS - 1) >> _SEGMENT_BITS)
            return exact if self.result_bytes == 4 else rounded
        dtype = {(1, True): "i1", (1, False): "u1"}.get((self.result_bytes, self.signed), f"<i{self.result_bytes}")
        entries: Integers = np.frombuffer(raw, dtype).astype(np.int64)
        found: Integers = entries[values + (128 if self.signed else 0)]
        return found
