# SPDX-License-Identifier: Apache-2.0
"""The page through which firmware reaches a simulated NPU: the simulator's side of it.

firmware/platform/MAILBOX.md says what every byte means; the names here are those used there.
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
    offset: int
    value: int


class Page:
    """The page, in the shared file `descriptor` at `file_offset`."""

    def __init__(self, descriptor: int, file_offset: int) -> None:
        self._words = memoryview(mmap.mmap(descriptor, PAGE_BYTES, offset=file_offset)).cast("I")

    def initialise(self, seed: int) -> None:
        """Make a fresh page. Magic last: it says that the rest is there."""
        for index in range(len(self._words)):
            self._words[index] = 0
        self._words[_VERSION] = VERSION
        self._words[_SEED] = seed
        self._words[_MAGIC] = MAGIC

    def kept(self, length: int) -> bytes:
        """Return the first bytes of what a fault left behind; zeros when none did."""
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
        """Return the writes that were posted after the first `tail` of them."""
        count = (self._words[_HEAD] - tail) & 0xFFFF_FFFF
        if count > FIFO_ENTRIES:
            raise ValueError(f"the mailbox holds {count} writes, and there is room for {FIFO_ENTRIES}")
        slots = (_FIFO + 2 * ((tail + i) % FIFO_ENTRIES) for i in range(count))
        return [PostedWrite(self._words[slot], self._words[slot + 1]) for slot in slots]

    def post(self, write: PostedWrite) -> None:
        """Post a write as firmware does; only before there is firmware."""
        head = self._words[_HEAD]
        slot = _FIFO + 2 * (head % FIFO_ENTRIES)
        self._words[slot], self._words[slot + 1] = write.offset, write.value
        self._words[_HEAD] = (head + 1) & 0xFFFF_FFFF

    def set_register(self, offset: int, value: int) -> None:
        self._words[_REGISTERS + offset // 4] = value

    def acknowledge(self, tail: int) -> None:
        """Say that the first `tail` writes are executed and that the registers show what they left behind."""
        self._words[_TAIL] = tail & 0xFFFF_FFFF

    def count_interrupt(self) -> None:
        self._words[_INTERRUPTS] = (self._words[_INTERRUPTS] + 1) & 0xFFFF_FFFF

    @property
    def interrupts(self) -> int:
        return self._words[_INTERRUPTS]
