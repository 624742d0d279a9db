# SPDX-License-Identifier: Apache-2.0
"""The cause of a fault in words, from status registers and the instruction at pc.

Source: Armv8-M Architecture Reference Manual, CFSR, HFSR and SFSR.
"""

from __future__ import annotations

from pilotlight.fault.image import Image
from pilotlight.link.fault_dump import FaultDump, FaultKind

_NULL_PAGE_BYTES = 4096
_FIRST_INTERRUPT = 16

_IACCVIOL, _DACCVIOL, _MSTKERR, _MMARVALID = 1 << 0, 1 << 1, 1 << 4, 1 << 7
_IBUSERR, _PRECISERR, _IMPRECISERR, _STKERR, _BFARVALID = 1 << 8, 1 << 9, 1 << 10, 1 << 12, 1 << 15
_STKOF = 1 << 20

_OTHER_CFSR = {
    1 << 3: "memory protection refused to unstack the registers at the end of an interrupt",
    1 << 5: "memory protection refused to save the floating-point registers",
    1 << 11: "bus error while the registers were unstacked at the end of an interrupt",
    1 << 13: "bus error while the floating-point registers were saved",
    1 << 16: "undefined instruction",
    1 << 17: "jumped to an address without the Thumb bit, or returned into a broken instruction state",
    1 << 18: "invalid return from an interrupt",
    1 << 19: "used a coprocessor that is off",
    1 << 24: "unaligned access where none is allowed",
    1 << 25: "division by zero",
}
_SFSR = {
    1 << 0: "entered secure code elsewhere than at a secure gateway",
    1 << 1: "secure stack frame without its signature",
    1 << 2: "invalid return to or from secure code",
    1 << 3: "non-secure access to secure memory",
    1 << 4: "left secure code without saying so",
    1 << 5: "secure floating-point registers could not be saved",
    1 << 7: "secure floating-point state was in error",
}


def reason(dump: FaultDump, image: Image | None) -> str:
    """Return the cause of the fault in one line."""
    if dump.kind is FaultKind.CHECK:
        return dump.summary
    if dump.kind is FaultKind.FAULT_IN_HANDLER:
        return "a second fault while the first was being recorded; the first one's registers are lost"
    if dump.kind is FaultKind.UNEXPECTED_INTERRUPT:
        if dump.exception < _FIRST_INTERRUPT:
            return f"exception {dump.exception} has no handler"
        return f"interrupt {dump.exception - _FIRST_INTERRUPT} has no handler"
    return "; ".join(_causes(dump, image)) or f"{dump.kind.name}: no cause in CFSR {dump.cfsr:#x}, HFSR {dump.hfsr:#x}"


def _causes(dump: FaultDump, image: Image | None) -> list[str]:
    cfsr, found = dump.cfsr, []
    if cfsr & _STKOF:
        found.append(f"stack overflow: the stack pointer would have gone below {_limit(image)}")
    if cfsr & (_MSTKERR | _STKERR):
        found.append("the stack could not take the registers of an interrupt or fault")
    if cfsr & _IACCVIOL:
        found.append(f"executed {_place(dump.pc, image)}")
    if cfsr & _IBUSERR:
        found.append(f"executed {dump.pc:#010x}: nothing answers there")
    if cfsr & _DACCVIOL:
        where = _place(dump.mmfar, image) if cfsr & _MMARVALID else "an address that was not kept"
        found.append(f"{_did(dump, image)} {where}")
    if cfsr & _PRECISERR:
        where = f"{dump.bfar:#010x}" if cfsr & _BFARVALID else "an address that was not kept"
        found.append(f"{_did(dump, image)} {where}: bus error, nothing answers there")
    if cfsr & _IMPRECISERR:
        found.append("bus error of an earlier write: the instruction shown is behind the one that wrote")
    found += [words for bit, words in _OTHER_CFSR.items() if cfsr & bit]
    found += [words for bit, words in _SFSR.items() if dump.sfsr & bit]
    if dump.hfsr & 2:
        found.append("the vector table could not be read")
    return found


def _limit(image: Image | None) -> str:
    limit = image.symbols.get("__stack_limit") if image else None
    return f"{limit:#010x}" if limit else "its limit"


def _place(address: int, image: Image | None) -> str:
    if address < _NULL_PAGE_BYTES:
        return f"{address:#010x}: null pointer"
    if image is None:
        return f"{address:#010x}"
    group = image.group_at(address)
    return f"{address:#010x}: {group}" if group else f"{address:#010x}: neither memory nor registers of this image"


def _did(dump: FaultDump, image: Image | None) -> str:
    is_store = stores(image.halfwords(dump.pc, 2)) if image and dump.has_frame else None
    return {True: "wrote to", False: "read from", None: "accessed"}[is_store]


def stores(code: tuple[int, ...]) -> bool | None:
    """Whether the Thumb instruction writes memory; None if it accesses no memory or is unknown.

    Source: Armv8-M Architecture Reference Manual, "T32 instruction set encoding".

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
