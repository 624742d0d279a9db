# SPDX-License-Identifier: Apache-2.0
"""Writes command streams by hand, word by word.

The opcodes come from the architecture and not from our tables.
"""

from __future__ import annotations

import struct

IFM_BASE, OFM_BASE, WEIGHT_BASE, STREAM_BASE = 0x1000_0000, 0x2000_0000, 0x3000_0000, 0x4000_0000

STOP = 0xFFFF_0000


def word(opcode: int, param: int = 0) -> bytes:
    return struct.pack("<I", opcode | (param & 0xFFFF) << 16)


def long(opcode: int, payload: int, param: int = 0) -> bytes:
    return struct.pack("<II", opcode | 1 << 14 | param << 16, payload & 0xFFFF_FFFF)


def copying_pool(height: int, width: int, depth: int) -> bytes:
    """Return a 1x1 average pool from region 1 to region 2: int8, NHWC, scale one."""
    settings = [
        *(word(0x10F, 1), word(0x11F, 2)),
        *(long(0x004, depth), long(0x005, depth * width), long(0x014, depth), long(0x015, depth * width)),
        *(word(0x10A, width - 1), word(0x10B, height - 1), word(0x10C, height - 1), word(0x104, depth - 1)),
        *(word(0x11A, width - 1), word(0x11B, height - 1), word(0x11C, height - 1)),
        *(word(0x111, width - 1), word(0x112, height - 1), word(0x113, depth - 1)),
        *(word(0x105, 0x0001), word(0x114, 0x0101), long(0x024, 1)),
        *(word(0x126, -128), word(0x127, 127)),
    ]
    return b"".join(settings) + word(0x005, 1)


def summing_pool(height: int, width: int, depth: int) -> bytes:
    """Return U85's 1x1 sum from region 1 to region 2: int8, NHWC, scale one.

    It sets each register that it uses.
    """
    settings = [
        *(word(0x10F, 1), word(0x11F, 2), *(long(group + tile, 0) for group in (0x000, 0x010) for tile in range(4))),
        *(long(0x004, depth), long(0x005, depth * width), long(0x006, 0)),
        *(long(0x014, depth), long(0x015, depth * width), long(0x016, 0)),
        *(word(0x10A, width - 1), word(0x10B, height - 1), word(0x10C, height - 1), word(0x104, depth - 1)),
        *(word(0x11A, width - 1), word(0x11B, height - 1), word(0x11C, height - 1)),
        *(word(0x111, width - 1), word(0x112, height - 1), word(0x113, depth - 1)),
        *(word(opcode) for opcode in (0x100, 0x101, 0x102, 0x103, 0x107, 0x109, 0x118, 0x120, 0x121, 0x122, 0x125)),
        *(word(0x105, 0x0001), word(0x114, 0x0101), long(0x024, 1), word(0x12F)),
        *(word(0x126, -128), word(0x127, 127), word(0x124, 1 << 8)),
    ]
    return b"".join(settings) + word(0x005, 3)
