# SPDX-License-Identifier: Apache-2.0
"""Recognises Thumb instructions: calls, loads and stores.

Source: Armv8-M Architecture Reference Manual, "T32 instruction set encoding".
"""

from __future__ import annotations

from pilotlight.elf import Image


def halfwords(image: Image, address: int, count: int) -> tuple[int, ...]:
    """Return up to `count` halfwords of code from `address` on; fewer if the section ends."""
    section = image.section_at(address)
    if section is None or not section.is_code:
        return ()
    start = address - section.address
    raw = bytes(section.content[start : start + 2 * count])
    return tuple(int.from_bytes(raw[i : i + 2], "little") for i in range(0, len(raw) - 1, 2))


def follows_call(image: Image, address: int) -> bool:
    """Whether a call instruction ends at `address`. Every return address follows a call
    instruction."""
    before = halfwords(image, address - 4, 2)
    if len(before) < 2:
        return False
    is_bl = before[0] & 0xF800 == 0xF000 and before[1] & 0xD000 == 0xD000
    return is_bl or before[1] & 0xFF87 == 0x4780  # BLX register


def stores(code: tuple[int, ...]) -> bool | None:
    """Whether the Thumb instruction writes memory; None if it accesses no memory or is unknown.

    >>> stores((0x6018,)), stores((0x6818,)), stores((0xF8C3, 0x0000)), stores((0x4770,))
    (True, False, True, None)
    """
    if not code:
        return None
    first = code[0]
    top = first >> 11
    if top in (0b11101, 0b11110, 0b11111):
        # Load/store multiple, dual, exclusive; floating point and Helium; single.
        if first & 0xFE00 in (0xE800, 0xEC00, 0xF800, 0xFC00):
            return not first & 0x10
        return None
    if top == 0b01001 or first & 0xFE00 == 0xBC00:  # LDR (literal), POP
        return False
    if first & 0xFE00 == 0xB400:  # PUSH
        return True
    if first & 0xF000 == 0x5000:  # register offset
        return (first >> 9) & 7 < 3
    if 0x6000 <= first < 0xA000 or first & 0xF000 == 0xC000:  # immediate offset, stack, multiple
        return not first & 0x0800
    return None
