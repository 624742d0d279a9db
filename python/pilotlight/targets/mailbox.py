# SPDX-License-Identifier: Apache-2.0
"""The simulator's side of the mailbox page, through which firmware reaches a simulated NPU.

firmware/platform/MAILBOX.md defines every byte; this module uses the same names.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

MAGIC = 0x424D4C50
VERSION = 2

PAGE_BYTES = 0x4000
FIFO_ENTRIES = 64
REGISTER_BYTES = 0x2000

# Words, by index.
_MAGIC, _VERSION, _SEED, _PRESENT, _HEAD, _TAIL, _INTERRUPTS, _COMPUTING = range(8)
_FIFO = 0x100 // 4
_REGISTERS = 0x1000 // 4
_KEPT = 0x3000 // 4

CMD = 0x008
CMD_RUN = 1
RESET = 0x00C
STATUS = 0x004
STATUS_RUNNING = 1


@dataclass(frozen=True)
class PostedWrite:
    """A write that firmware posted. offset: byte offset of the register."""

    offset: int
    value: int


class Page:
    """The page, in the shared file `descriptor` at `file_offset`."""

    def __init__(self, descriptor: int, file_offset: int) -> None:
        self._words = memoryview(mmap.mmap(descriptor, PAGE_BYTES, offset=file_offset)).cast("I")

    def initialise(self, seed: int) -> None:
        """Initialise the page. The magic comes last, because it marks the page as complete."""
        for index in range(len(self._words)):
            self._words[index] = 0
        self._words[_VERSION] = VERSION
        self._words[_SEED] = seed
        self._words[_MAGIC] = MAGIC

    def kept(self, length: int) -> bytes:
        """Return the first `length` bytes of the fault dump on the page; zeros if there is none."""
        return self._words[_KEPT : _KEPT + length // 4].tobytes()

    def clear_kept(self) -> None:
        self._words[_KEPT] = 0

    @property
    def present(self) -> bool:
        return self._words[_PRESENT] != 0

    @present.setter
    def present(self, value: bool) -> None:
        self._words[_PRESENT] = int(value)

    @property
    def computing(self) -> bool:
        return self._words[_COMPUTING] != 0

    @computing.setter
    def computing(self, value: bool) -> None:
        self._words[_COMPUTING] = int(value)

    @property
    def tail(self) -> int:
        return self._words[_TAIL]

    def pending(self, tail: int) -> list[PostedWrite]:
        """Return the posted writes after the first `tail`.

        Raises ValueError if the page is damaged.
        """
        count = (self._words[_HEAD] - tail) & 0xFFFF_FFFF
        if count > FIFO_ENTRIES:
            raise ValueError(f"the mailbox holds {count} writes, and there is room for {FIFO_ENTRIES}")
        slots = (_FIFO + 2 * ((tail + i) % FIFO_ENTRIES) for i in range(count))
        return [PostedWrite(self._words[slot], self._words[slot + 1]) for slot in slots]

    def post(self, write: PostedWrite) -> None:
        """Post a write as firmware does. Use this only before the firmware runs."""
        head = self._words[_HEAD]
        slot = _FIFO + 2 * (head % FIFO_ENTRIES)
        self._words[slot], self._words[slot + 1] = write.offset, write.value
        self._words[_HEAD] = (head + 1) & 0xFFFF_FFFF

    def set_register(self, offset: int, value: int) -> None:
        self._words[_REGISTERS + offset // 4] = value

    def acknowledge(self, tail: int) -> None:
        """Mark the first `tail` writes as executed.

        The registers must show their effect already.
        """
        self._words[_TAIL] = tail & 0xFFFF_FFFF

    def count_interrupt(self) -> None:
        self._words[_INTERRUPTS] = (self._words[_INTERRUPTS] + 1) & 0xFFFF_FFFF

    @property
    def interrupts(self) -> int:
        return self._words[_INTERRUPTS]
