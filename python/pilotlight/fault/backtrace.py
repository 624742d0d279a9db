# SPDX-License-Identifier: Apache-2.0
"""Finds the active functions from saved registers and stack, and says how each was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pilotlight.elf import Image, UnwindRow, demangle
from pilotlight.fault.instructions import follows_call
from pilotlight.link.fault_dump import FaultDump

_SP, _LR, _PC = 13, 14, 15
_MOST_FRAMES = 32

# How an address was found.
EXACT = "exact"  # The program counter.
UNWOUND = "unwound"  # The compiler's call frame table and the saved stack.
LINK_REGISTER = "link register"  # Right unless the function had changed lr.
GUESS = "guess"  # A stack word that points behind a call instruction; the call may be over.


@dataclass(frozen=True)
class Frame:
    """One active function. `line` is "file:line", or "" if unknown."""

    address: int
    function: str
    line: str
    found_by: str

    def __str__(self) -> str:
        where = f" at {self.line}" if self.line else ""
        sure = "" if self.found_by in (EXACT, UNWOUND) else f" ({self.found_by})"
        return f"{self.address:#010x} in {self.function or '(no function)'}{where}{sure}"


def backtrace(dump: FaultDump, image: Image) -> tuple[Frame, ...]:
    """Return the active functions, innermost first."""
    found = [(address, how) for address, how in _addresses(dump, image)][:_MOST_FRAMES]
    # A return address belongs to the call before it. The program counter is not a return address.
    looked_up = [address if how == EXACT else address - 1 for address, how in found]
    functions = [image.function_at(address) for address in looked_up]
    names = demangle([function.name if function else "" for function in functions])
    return tuple(
        Frame(address, name, image.line_at(at) if function else "", how)
        for (address, how), at, function, name in zip(found, looked_up, functions, names, strict=True)
    )


def _addresses(dump: FaultDump, image: Image) -> Iterator[tuple[int, str]]:
    registers = {**dict(enumerate(dump.r)), _SP: dump.sp, _LR: dump.lr}
    if not dump.has_frame:
        yield from _guesses(dump, image, dump.sp)
        return
    yield dump.pc, EXACT
    at, is_innermost = dump.pc, True
    while True:
        row = image.unwinding_at(at)
        if row is not None:
            back = _unwind(row, registers, dump, is_innermost=is_innermost)
            how = UNWOUND
        elif is_innermost and dump.lr & 1 and follows_call(image, dump.lr & ~1):
            back, how = dump.lr, LINK_REGISTER
        else:
            back, how = None, GUESS
        if back is None:
            # There is no table, or the stack was not saved: search the stack.
            yield from _guesses(dump, image, registers[_SP])
            return
        if not image.is_code(back & ~1) or not follows_call(image, back & ~1):
            return
        yield back & ~1, how
        at, is_innermost = (back & ~1) - 1, False


def _unwind(row: UnwindRow, registers: dict[int, int], dump: FaultDump, *, is_innermost: bool) -> int | None:
    """Return the return address, and set `registers` to the caller's.

    Returns None if the frame's start or the saved return address is not known.
    """
    if row.cfa_register is None or row.cfa_register not in registers:
        return None
    cfa = registers[row.cfa_register] + row.cfa_offset
    before = dict(registers)
    for register, offset in row.saved.items():
        word = dump.word(cfa + offset)
        if word is None and register in (_LR, _PC):
            return None
        if word is not None:
            before[register] = word
        else:
            before.pop(register, None)
    if _LR not in row.saved and not is_innermost:
        return None
    registers.clear()
    registers.update(before)
    registers[_SP] = cfa
    return registers[_LR]


def _guesses(dump: FaultDump, image: Image, start: int) -> Iterator[tuple[int, str]]:
    for address in range(max(start, dump.sp) & ~3, dump.sp + len(dump.stack), 4):
        word = dump.word(address)
        if word is not None and word & 1 and image.is_code(word & ~1) and follows_call(image, word & ~1):
            yield word & ~1, GUESS
