# SPDX-License-Identifier: Apache-2.0
"""The simulator's side of the mailbox, with a device that only stores values.

The CPU's side is written out here, word by word, from firmware/platform/MAILBOX.md.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import bounded
import pytest

from pilotlight.paths import ROOT
from pilotlight.targets import mailbox
from pilotlight.targets.npu_process import Server

PRESENT, HEAD, TAIL, INTERRUPTS, COMPUTING, FIFO, REGISTERS = 0x00C, 0x010, 0x014, 0x018, 0x01C, 0x100, 0x1000
STATUS, CMD, RESET, LOCK = 0x004, 0x008, 0x00C, 0x02C
MIRRORED = (STATUS, CMD, LOCK)


class RememberingDevice:
    """A device whose registers are memory.

    A run takes until `finish` is set, and raises the interrupt.
    """

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []
        self.registers = {STATUS: 0, CMD: 0, LOCK: 0}
        self.irq = False
        self.last_fault = ""
        self.finish = threading.Event()

    def read(self, offset: int) -> int:
        return self.registers[offset]

    def write(self, offset: int, value: int) -> None:
        if offset == CMD and value & 1:
            assert self.finish.wait(10)
            self.irq = True
            self.registers[STATUS] = 2
        if offset == CMD and value & 2:
            self.irq = False
            self.registers[STATUS] = 0
        self.written.append((offset, value))
        self.registers[offset] = self.registers[STATUS] if offset == STATUS else value


class Cpu:
    """The CPU's side: a file, one end of the line, and the server in a thread."""

    def __init__(self, faults: tuple[str, ...] = ()) -> None:
        self.file = os.memfd_create("page")
        os.truncate(self.file, mailbox.PAGE_BYTES)
        page = mailbox.Page(self.file, 0)
        page.initialise(seed=7)
        self.line, self._server_line = socket.socketpair()
        self.line.settimeout(60)
        self.device = RememberingDevice()
        self._server = Server(page, self._server_line, self.device, MIRRORED, faults=faults)
        self.result = ""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.wait_until(lambda: self.word(PRESENT) == 1)

    def _serve(self) -> None:
        self.result = self._server.serve()

    def word(self, offset: int) -> int:
        return int(struct.unpack("<I", os.pread(self.file, 4, offset))[0])

    def post(self, offset: int, value: int) -> None:
        head = self.word(HEAD)
        os.pwrite(self.file, struct.pack("<II", offset, value), FIFO + 8 * (head % 64))
        os.pwrite(self.file, struct.pack("<I", (head + 1) % 2**32), HEAD)

    def flush(self) -> None:
        self.line.send(b"\1")
        self.wait_until(lambda: self.word(TAIL) == self.word(HEAD))

    def register(self, offset: int) -> int:
        return self.word(REGISTERS + offset)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        bounded.wait_until(condition, "what the CPU waits for")

    def end(self) -> None:
        self.device.finish.set()
        self.line.close()
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._server_line.close()
        os.close(self.file)


@pytest.fixture
def cpu() -> Iterator[Cpu]:
    cpu = Cpu()
    yield cpu
    cpu.end()


def test_the_reason_of_a_fault_is_printed(cpu: Cpu, capfd: pytest.CaptureFixture[str]) -> None:
    cpu.device.last_fault = "no memory at 0x12"
    cpu.post(CMD, 1)
    cpu.flush()
    cpu.device.finish.set()
    cpu.wait_until(lambda: cpu.word(COMPUTING) == 0)
    assert capfd.readouterr().err == "NPU fault: no memory at 0x12\n"


def test_posted_writes_are_executed_in_order_and_shown(cpu: Cpu) -> None:
    for value in range(64):
        cpu.post(LOCK, value)
    cpu.flush()
    assert cpu.device.written == [(LOCK, value) for value in range(64)]
    assert cpu.register(LOCK) == 63


def test_counters_go_on_over_the_end_of_the_fifo(cpu: Cpu) -> None:
    for batch in range(5):
        for value in range(50):
            cpu.post(LOCK, 100 * batch + value)
        cpu.flush()
        assert cpu.register(LOCK) == 100 * batch + 49
    assert cpu.word(TAIL) == 250


def test_a_run_is_acknowledged_while_it_lasts_and_its_end_rings(cpu: Cpu) -> None:
    cpu.post(CMD, 1)
    cpu.flush()
    assert cpu.register(STATUS) == 1
    assert cpu.device.written == []
    cpu.device.finish.set()
    assert cpu.line.recv(8) == b"\1"
    assert cpu.register(STATUS) == 2
    assert cpu.word(INTERRUPTS) == 1

    cpu.post(CMD, 2)
    cpu.flush()
    assert cpu.register(STATUS) == 0
    cpu.line.settimeout(0.1)
    with pytest.raises(TimeoutError):
        cpu.line.recv(8)


def test_the_interrupt_rings_once_for_each_rise(cpu: Cpu) -> None:
    cpu.device.finish.set()
    for count in (1, 2):
        cpu.post(CMD, 1)
        cpu.flush()
        assert cpu.line.recv(8) == b"\1"
        cpu.post(LOCK, 1)  # The interrupt line is still active.
        cpu.flush()
        cpu.post(CMD, 2)
        cpu.flush()
        assert cpu.word(INTERRUPTS) == count


def test_the_page_says_that_a_run_is_computed_until_its_interrupt_was_sent(cpu: Cpu) -> None:
    assert cpu.word(COMPUTING) == 0
    cpu.post(CMD, 1)
    cpu.flush()
    assert cpu.word(COMPUTING) == 1
    cpu.device.finish.set()
    assert cpu.line.recv(8) == b"\1"
    cpu.wait_until(lambda: cpu.word(COMPUTING) == 0)


def test_writes_during_a_run_wait_for_its_end(cpu: Cpu) -> None:
    cpu.post(CMD, 1)
    cpu.post(LOCK, 9)
    cpu.line.send(b"\1")
    cpu.wait_until(lambda: cpu.word(TAIL) == 1)
    time.sleep(0.05)
    assert cpu.word(TAIL) == 1
    cpu.device.finish.set()
    cpu.wait_until(lambda: cpu.word(TAIL) == 2)
    assert cpu.device.written == [(CMD, 1), (LOCK, 9)]


def test_a_reset_during_a_run_asks_for_a_fresh_start_and_stays_pending(cpu: Cpu) -> None:
    cpu.post(CMD, 1)
    cpu.flush()
    cpu.post(RESET, 0)
    cpu.line.send(b"\1")
    cpu.wait_until(lambda: cpu.result != "")
    assert cpu.result == "restart"
    assert cpu.word(TAIL) == 1


def test_a_dropped_interrupt_is_counted_but_not_sent() -> None:
    cpu = Cpu(faults=("drop-interrupt",))
    cpu.device.finish.set()
    cpu.post(CMD, 1)
    cpu.flush()
    cpu.wait_until(lambda: cpu.word(INTERRUPTS) == 1)
    cpu.line.settimeout(0.1)
    with pytest.raises(TimeoutError):
        cpu.line.recv(8)
    cpu.end()


def test_a_run_that_hangs_ends_with_a_reset_alone() -> None:
    cpu = Cpu(faults=("hang-once",))
    cpu.device.finish.set()
    cpu.post(CMD, 1)
    cpu.flush()
    time.sleep(0.05)
    assert cpu.word(INTERRUPTS) == 0
    assert cpu.word(COMPUTING) == 0, "or the CPU would wait for it"
    assert cpu.register(STATUS) & 1
    cpu.post(RESET, 0)
    cpu.line.send(b"\1")
    cpu.wait_until(lambda: cpu.result != "")
    assert cpu.result == "restart"
    cpu.end()


def test_spurious_interrupts_come_on_top_of_the_real_one() -> None:
    cpu = Cpu(faults=("spurious-interrupts",))
    cpu.post(CMD, 1)
    cpu.flush()
    assert cpu.line.recv(8) == b"\1\1"
    assert cpu.word(INTERRUPTS) == 0
    cpu.device.finish.set()
    assert cpu.line.recv(8) == b"\1"
    cpu.end()


def test_a_closed_line_ends_the_process(cpu: Cpu) -> None:
    cpu.line.close()
    cpu.wait_until(lambda: cpu.result != "")
    assert cpu.result == "closed"


def test_both_languages_agree_on_the_page() -> None:
    header = (ROOT / "firmware/platform/npu/mailbox.h").read_text(encoding="utf-8")
    offsets = {name: int(value, 16) for name, value in re.findall(r"offsetof\(Page, (\w+)\) == (0x\w+)", header)}
    assert offsets == {"fifo": FIFO, "registers": REGISTERS, "kept": 0x3000}
    assert f"kMagic = 0x{mailbox.MAGIC:08X}" in header
    assert f"kVersion = {mailbox.VERSION};" in header
    assert f"kFifoEntries = {mailbox.FIFO_ENTRIES};" in header
    assert f"kRegisterBytes = 0x{mailbox.REGISTER_BYTES:X};" in header
    assert f"sizeof(Page) == 0x{mailbox.PAGE_BYTES:X}" in header
