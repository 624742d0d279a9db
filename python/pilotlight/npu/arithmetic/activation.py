# SPDX-License-Identifier: Apache-2.0
"""Activation tables. A look-up follows the rounding and clipping of an operation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.scaling import Integers

# A table for 16-bit values has one entry per 128 values: a word with a base and a slope.
_SEGMENTS = 512
_SEGMENT_BITS = 7


@dataclass
class ActivationTable:
    """A table in the NPU's internal memory.

    data: its bytes, which may change between look-ups.
    wide_index: indexed by 16-bit values, with interpolation; otherwise by 8-bit values.
    """

    data: NDArray[np.uint8]
    signed: bool
    wide_index: bool
    result_bytes: int
    # The bytes and what they mean. One object, because threads may read it while another one
    # replaces it.
    _decoded: tuple[bytes, Integers] = field(default=(b"", np.empty(0, np.int64)), init=False)

    @property
    def content(self) -> bytes:
        """The table's present bytes."""
        return self.data.tobytes()

    def look_up(self, values: Integers) -> Integers:
        """Return the table's results. The earlier clip has limited `values` to the index's
        range."""
        entries = self._current_entries()
        if self.wide_index:
            position = values + (1 << 15 if self.signed else 0)
            base, slope = entries[position >> _SEGMENT_BITS].transpose(-1, *range(position.ndim))
            rise = slope * (position & (1 << _SEGMENT_BITS) - 1)
            exact: Integers = base * (1 << _SEGMENT_BITS) + rise
            rounded: Integers = base + (rise + (1 << _SEGMENT_BITS - 1) >> _SEGMENT_BITS)
            return exact if self.result_bytes == 4 else rounded
        return entries.take(values + (128 if self.signed else 0))

    def _current_entries(self) -> Integers:
        content = self.content
        known, entries = self._decoded
        if content != known:
            if self.wide_index:
                entries = np.frombuffer(content, "<i2").reshape(_SEGMENTS, 2).astype(np.int64)
            else:
                signed_bytes = "i1" if self.signed else "u1"
                dtype = signed_bytes if self.result_bytes == 1 else f"<i{self.result_bytes}"
                entries = np.frombuffer(content, dtype).astype(np.int64)
            self._decoded = content, entries
        return entries
