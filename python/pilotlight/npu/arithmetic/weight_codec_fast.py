# SPDX-License-Identifier: Apache-2.0
"""Decodes the fast format of weight streams, which only U85 has.

The format is fixed-width: a header of 256 bits, then one symbol per weight. Bits are counted from
the least significant one of the first byte.

    bit 0         raw: symbols are signed bytes, from which the zero adjustment is subtracted
    bit 1         small table: otherwise, symbols are indices of 2 bits; without this bit, 4 bits
    bits 2-103    zero
    bits 104-111  zero adjustment, signed
    bits 112-255  table of 16 entries of 9 bits: the sign in the lowest, the magnitude above it
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.stream.faults import BadWeights

HEADER_BYTES = 32
_TABLE_ENTRIES, _ENTRY_BITS = 16, 9


def decode_fast(stream: bytes) -> NDArray[np.int16]:
    """Return the weights in stream order, with those that only pad the end of the stream.

    Raises BadWeights if the header is cut off or has bits that are not defined.
    """
    if len(stream) < HEADER_BYTES:
        raise BadWeights(f"a fast weight stream of {len(stream)} bytes has no whole header")
    header = int.from_bytes(stream[:HEADER_BYTES], "little")
    raw, small_table = header & 1, header >> 1 & 1
    if header >> 2 & ((1 << 102) - 1):
        raise BadWeights("the header of a fast weight stream has bits that are not defined")
    symbols = np.frombuffer(stream, np.uint8, offset=HEADER_BYTES)
    if raw:
        zero_adjustment = int.from_bytes(stream[13:14], signed=True)
        return symbols.view(np.int8).astype(np.int16) - np.int16(zero_adjustment)
    entries = [_entry(header >> 112 + _ENTRY_BITS * index) for index in range(_TABLE_ENTRIES)]
    width = 2 if small_table else 4
    # One row of weights for each value of a byte.
    indices = np.arange(256)[:, np.newaxis] >> np.arange(0, 8, width) & (1 << width) - 1
    weights: NDArray[np.int16] = np.array(entries, np.int16)[indices].take(symbols, axis=0)
    return weights.reshape(-1)


def _entry(bits: int) -> int:
    magnitude = bits >> 1 & (1 << _ENTRY_BITS - 1) - 1
    return -magnitude if bits & 1 else magnitude
