# SPDX-License-Identifier: Apache-2.0
"""The cause of a fault in words, from status registers and the instruction at pc.

Source: Armv8-M Architecture Reference Manual, CFSR, HFSR and SFSR.
"""

from __future__ import annotations

from pilotlight.elf import Image
from pilotlight.fault.instructions import halfwords, stores
from pilotlight.link.fault_dump import FaultDump, FaultKind

# Start and end symbols (firmware/platform/link/image.ld) of the regions that the MPU protects.
_GROUPS = {
    "the code": ("__code_start", "__code_end"),
    "the constants": ("__constants_start", "__constants_end"),
    "the model": ("__model_start", "__model_end"),
    "the data": ("__ram_start", "__ram_end"),
    "the tensor arena": ("__arena_start", "__arena_end"),
    "the stack": ("__stack_limit", "__stack_top"),
}
_GUARD_BYTES = 64
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
    1 << 0: "entered secure code at an address without a secure gateway",
    1 << 1: "secure stack frame without its signature",
    1 << 2: "invalid return to or from secure code",
    1 << 3: "non-secure access to secure memory",
    1 << 4: "branched from secure to non-secure code without BXNS or BLXNS",
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
    limit = _address(image, "__stack_limit") if image else 0
    return f"{limit:#010x}" if limit else "its limit"


def _place(address: int, image: Image | None) -> str:
    if address < _NULL_PAGE_BYTES:
        return f"{address:#010x}: null pointer"
    if image is None:
        return f"{address:#010x}"
    group = _group_at(image, address)
    return f"{address:#010x}: {group}" if group else f"{address:#010x}: neither memory nor registers of this image"


def _did(dump: FaultDump, image: Image | None) -> str:
    is_store = stores(halfwords(image, dump.pc, 2)) if image and dump.has_frame else None
    return {True: "wrote to", False: "read from", None: "accessed"}[is_store]


def _group_at(image: Image, address: int) -> str:
    """Return a phrase for the part of the image at `address`; "" if there is none."""
    for words, (start, end) in _GROUPS.items():
        if _address(image, start) <= address < _address(image, end):
            return words
    limit = _address(image, "__stack_limit")
    return "the guard below the stack" if limit - _GUARD_BYTES <= address < limit else ""


def _address(image: Image, name: str) -> int:
    """Return the address of a symbol; 0 if the image has none with this name."""
    symbol = image.symbol(name)
    return symbol.address if symbol else 0
