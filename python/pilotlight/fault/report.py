# SPDX-License-Identifier: Apache-2.0
"""Decodes a fault dump with the image that it comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilotlight.elf import Image
from pilotlight.errors import BadFaultDump
from pilotlight.fault.backtrace import Frame, backtrace
from pilotlight.fault.reason import reason
from pilotlight.link.fault_dump import FaultDump, FaultKind

# The linker's build id is a SHA-1 hash.
_IMAGE_ID_BYTES = 20


@dataclass(frozen=True)
class FaultReport:
    """A decoded fault. `frames` is empty if the board saves no registers (boards/host)."""

    reason: str
    frames: tuple[Frame, ...]
    dump: FaultDump

    def summary(self) -> str:
        """Return one line with reason and place."""
        return f"{self.reason} [{self.frames[0]}]" if self.frames else self.reason

    def lines(self) -> list[str]:
        """Return the reason and the frames, one per line."""
        return [self.reason, *(f"  {frame}" for frame in self.frames)]

    def registers(self) -> list[str]:
        """Return the registers, four per line."""
        dump = self.dump
        named = {f"r{i}": value for i, value in enumerate(dump.r)}
        for name in ("sp", "lr", "pc", "xpsr", "exc_return", "cfsr", "hfsr", "mmfar", "bfar", "sfsr", "sfar"):
            named[name] = getattr(dump, name)
        cells = [f"{name:>10} {value:08x}" for name, value in named.items()]
        return ["".join(cells[i : i + 4]) for i in range(0, len(cells), 4)]

    def to_json(self) -> dict[str, Any]:
        dump = {**asdict(self.dump), "kind": self.dump.kind.name.lower()}
        dump["image_id"], dump["stack"] = self.dump.image_id.hex(), self.dump.stack.hex()
        return {"reason": self.reason, "frames": [asdict(frame) for frame in self.frames], "dump": dump}


def decode_fault(data: bytes, elf: Path) -> FaultReport:
    """Decode a dump with its image.

    Raises BadFaultDump if the dump is damaged or of another image, ConfigError if `elf` cannot be
    read.
    """
    dump = FaultDump.decode(data)
    if not dump.image_id:
        return FaultReport(reason(dump, None), (), dump)
    image = Image.load(elf, for_arm=True)
    image_id = _image_id(image)
    if image_id != dump.image_id:
        raise BadFaultDump(
            f"the fault dump belongs to another build: image {dump.image_id.hex()[:16]}…, {elf} is "
            f"{image_id.hex()[:16]}…",
            hint=f"decode it with the build folder that was flashed at that time. Undecoded: {reason(dump, None)}, "
            f"pc {dump.pc:#010x}",
        )
    frames = backtrace(dump, image)
    # The innermost frame of a failed CHECK is the function that reports it; leave it out.
    inner = dump.kind is FaultKind.CHECK and len(frames) > 1
    return FaultReport(reason(dump, image), frames[1:] if inner else frames, dump)


def _image_id(image: Image) -> bytes:
    """Return the id that the linker computed from the image's contents; b"" if there is none."""
    note = image.section(".note.gnu.build-id")
    return bytes(note.content[-_IMAGE_ID_BYTES:]) if note else b""
