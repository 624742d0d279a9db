# SPDX-License-Identifier: Apache-2.0
"""Format of a fault dump (firmware/platform/include/pilotlight/platform/fault_dump.h)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from pilotlight.errors import BadFaultDump

MAGIC = 0x32464C50
STACK_BYTES = 1024
_HEADER = struct.Struct("<II20s3I13I4I7I")
_CHECK = struct.Struct("<I64sI")
LENGTH = _HEADER.size + _CHECK.size + STACK_BYTES + 4


class FaultKind(IntEnum):
    """The kind of fault; same numbers as in fault_dump.h."""

    HARD_FAULT = 1
    MEM_MANAGE = 2
    BUS_FAULT = 3
    USAGE_FAULT = 4
    SECURE_FAULT = 5
    CHECK = 6
    UNEXPECTED_INTERRUPT = 7
    FAULT_IN_HANDLER = 8


@dataclass(frozen=True)
class FaultDump:
    """The registers at the fault, and `stack`: the bytes from `sp` upwards.

    image_id: the build id that the linker gave the image; b"" on a board whose firmware is a
        process.
    has_frame: whether the core could save r0 to r3, r12, lr, pc and xpsr. If not, they are 0.
    """

    image_id: bytes
    kind: FaultKind
    exception: int
    has_frame: bool
    r: tuple[int, ...]
    sp: int
    lr: int
    pc: int
    xpsr: int
    exc_return: int
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    sfsr: int
    sfar: int
    check_line: int
    check_text: str
    stack: bytes

    @classmethod
    def decode(cls, data: bytes) -> FaultDump:
        """Decode a dump. Raises BadFaultDump if length, magic, CRC or a field is wrong."""
        if len(data) != LENGTH:
            raise _damaged(f"it has {len(data)} bytes instead of {LENGTH}")
        magic, length, image_id, kind, exception, has_frame, *words = _HEADER.unpack_from(data)
        if magic != MAGIC or length != LENGTH:
            raise _damaged(f"it begins with {magic:#010x} and length {length}")
        (crc,) = struct.unpack_from("<I", data, LENGTH - 4)
        if crc != zlib.crc32(data[:-4]):
            raise _damaged(f"its CRC is {zlib.crc32(data[:-4]):#010x}, but it records {crc:#010x}")
        check_line, text, stack_bytes = _CHECK.unpack_from(data, _HEADER.size)
        stack_at = _HEADER.size + _CHECK.size
        if stack_bytes > STACK_BYTES or kind not in set(FaultKind):
            raise _damaged(f"kind {kind}, {stack_bytes} bytes of stack")
        sp, lr, pc, xpsr, exc_return, cfsr, hfsr, mmfar, bfar, sfsr, sfar = words[13:]
        return cls(
            image_id=image_id if any(image_id) else b"",
            kind=FaultKind(kind),
            exception=exception,
            has_frame=bool(has_frame),
            r=tuple(words[:13]),
            sp=sp,
            lr=lr,
            pc=pc,
            xpsr=xpsr,
            exc_return=exc_return,
            cfsr=cfsr,
            hfsr=hfsr,
            mmfar=mmfar,
            bfar=bfar,
            sfsr=sfsr,
            sfar=sfar,
            check_line=check_line,
            check_text=text.split(b"\0")[0].decode("utf-8", errors="backslashreplace"),
            stack=data[stack_at : stack_at + stack_bytes],
        )

    @property
    def summary(self) -> str:
        """The cause, as far as the dump shows it without the image."""
        if self.kind is FaultKind.CHECK:
            return f"failed CHECK: {self.check_text}, line {self.check_line}"
        return f"{self.kind.name} at pc {self.pc:#x}, CFSR {self.cfsr:#x}"

    def encode(self) -> bytes:
        """Return the bytes that `decode` reads."""
        words = (self.sp, self.lr, self.pc, self.xpsr, self.exc_return)
        status = (self.cfsr, self.hfsr, self.mmfar, self.bfar, self.sfsr, self.sfar)
        image_id = self.image_id or bytes(20)
        data = _HEADER.pack(
            MAGIC, LENGTH, image_id, self.kind, self.exception, self.has_frame, *self.r, *words, *status
        )
        data += _CHECK.pack(self.check_line, self.check_text.encode()[:63], len(self.stack))
        data += self.stack.ljust(STACK_BYTES, b"\0")
        return data + struct.pack("<I", zlib.crc32(data))

    def word(self, address: int) -> int | None:
        """Return the word of the saved stack at `address`; None if it was not saved."""
        at = address - self.sp
        if at < 0 or at % 4 or at + 4 > len(self.stack):
            return None
        return int.from_bytes(self.stack[at : at + 4], "little")


def _damaged(why: str) -> BadFaultDump:
    return BadFaultDump(f"the fault dump is damaged: {why}", hint="reproduce the fault and read the new dump")
