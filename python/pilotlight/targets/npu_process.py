# SPDX-License-Identifier: Apache-2.0
"""The NPU process of an emulated board: a simulated device behind the mailbox page.

The supervisor starts it with the shared file and one end of the doorbell line. A run has its own
thread, so the process still hears the doorbell. A thread cannot be stopped. So on a reset during a
run, the process executes its own program again, which discards the run.
"""

from __future__ import annotations

import mmap
import os
import selectors
import socket
import sys
import threading
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pilotlight.npu_names import family_of
from pilotlight.targets.mailbox import CMD, CMD_RUN, RESET, STATUS, STATUS_RUNNING, Page

if TYPE_CHECKING:
    from pilotlight.npu import Device as SimulatedNpu
    from pilotlight.npu.stream.memory import MappedMemory

# Registers that are copied to the page after every batch of writes (MAILBOX.md, "Registers").
_MIRRORED = (
    *range(0x000, 0x0C0, 4),
    *range(0x140, 0x158, 4),
    *range(0x180, 0x1B4, 4),
    *range(0x300, 0x320, 4),
    *range(0x380, 0x3A0, 4),
    *range(0xFC0, 0x1000, 4),
)
_MIRRORED_U85 = (*range(0x1180, 0x11B8, 4), *range(0x1300, 0x1320, 4), *range(0x1380, 0x13A0, 4))

# What precedes the reason of a fault that ended a run, on standard error.
FAULT_PREFIX = "NPU fault: "

# Faults that tests can cause, to prove that none of them passes for a result.
#   drop-interrupt       the interrupt line never rises
#   hang-once            the first run never ends; after a reset the NPU works
#   spurious-interrupts  two extra interrupts during each run
_DROP_INTERRUPT, _HANG_ONCE, _SPURIOUS = FAULTS = ("drop-interrupt", "hang-once", "spurious-interrupts")


class Device(Protocol):
    """The part of pilotlight.npu.Device that this module uses."""

    @property
    def irq(self) -> bool: ...

    @property
    def last_fault(self) -> str: ...

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class Server:
    """Executes posted writes on `device`, mirrors its registers and forwards its interrupt."""

    def __init__(
        self,
        page: Page,
        line: socket.socket,
        device: Device,
        mirrored: tuple[int, ...],
        *,
        faults: tuple[str, ...] = (),
    ) -> None:
        self._page, self._line, self._device, self._mirrored, self._faults = page, line, device, mirrored, faults
        self._tail = page.tail
        self._irq = False
        self._run: threading.Thread | None = None
        self._run_over, self._run_over_writer = socket.socketpair()

    def serve(self) -> str:
        """Serve until the line closes ("closed") or a run must be discarded ("restart")."""
        selector = selectors.DefaultSelector()
        selector.register(self._line, selectors.EVENT_READ)
        selector.register(self._run_over, selectors.EVENT_READ)
        self._page.computing = False
        self._publish()
        self._page.present = True
        try:
            return self._serve(selector)
        except ConnectionError:  # the emulator was killed
            return "closed"

    def _serve(self, selector: selectors.BaseSelector) -> str:
        while True:
            # This also runs before the first doorbell, because no doorbell announces the writes
            # that are pending after a restart.
            if self._execute_pending() == "restart":
                return "restart"
            for key, _ in selector.select():
                if not key.fileobj.recv(4096):  # type: ignore[union-attr]
                    return "closed"
                if key.fileobj is self._run_over:
                    assert self._run is not None
                    self._run.join()
                    self._run = None
                    self._publish()
                    # This comes after the interrupt, because the CPU waits for this process until
                    # then.
                    self._page.computing = False

    def _execute_pending(self) -> str:
        while writes := self._page.pending(self._tail):
            if self._run is not None:
                # All other writes wait for the end of the run, as on the bus.
                return "restart" if any(write.offset == RESET for write in writes) else "busy"
            for write in writes:
                self._tail += 1
                if write.offset == CMD and write.value & CMD_RUN:
                    self._start_run(write.value)
                    break
                self._device.write(write.offset, write.value)
            else:
                self._publish()
        return "idle"

    def _start_run(self, value: int) -> None:
        """Start a run in a thread. The write of CMD is acknowledged at once, as on hardware."""
        self._mirror()
        self._page.set_register(CMD, value)
        self._page.set_register(STATUS, self._device.read(STATUS) | STATUS_RUNNING)
        hangs = _HANG_ONCE in self._faults
        self._page.computing = not hangs
        self._page.acknowledge(self._tail)
        if _SPURIOUS in self._faults:
            self._line.send(b"\1\1")
        run = threading.Event().wait if hangs else lambda: self._execute_run(value)
        self._run = threading.Thread(target=run, daemon=True)
        self._run.start()

    def _execute_run(self, value: int) -> None:
        try:
            self._device.write(CMD, value)
        except BaseException:
            # A device reports errors in STATUS, so this is a bug in the simulator. End the process,
            # so that the firmware does not wait.
            traceback.print_exc()
            os._exit(70)
        # STATUS has no room for the reason.
        if self._device.last_fault:
            print(f"{FAULT_PREFIX}{self._device.last_fault}", file=sys.stderr, flush=True)
        self._run_over_writer.send(b"\0")

    def _publish(self) -> None:
        """Update registers, then the acknowledgement, then the interrupt.

        Each step tells the firmware that the previous step is complete.
        """
        self._mirror()
        self._page.acknowledge(self._tail)
        if self._device.irq and not self._irq:
            self._page.count_interrupt()
            if _DROP_INTERRUPT not in self._faults:
                self._line.send(b"\1")
        self._irq = self._device.irq

    def _mirror(self) -> None:
        for offset in self._mirrored:
            self._page.set_register(offset, self._device.read(offset))


@dataclass(frozen=True)
class Window:
    """Memory that the NPU can reach."""

    name: str
    address: int
    size_bytes: int


def serve_board(
    config: str,
    shared: int,
    shared_origin: int,
    page: Page,
    line: socket.socket,
    windows: Sequence[Window],
    *,
    faults: tuple[str, ...] = (),
    watch: Callable[[SimulatedNpu, MappedMemory], object] = lambda device, memory: None,
) -> str:
    """Serve as the NPU `config` of a board whose memory is the file `shared`.

    watch: called with the device and its memory before the first register access.

    Returns "closed" or "restart", as Server.serve() does.
    """
    # Imported here, so that the caller can start an emulator before NumPy is loaded.
    from pilotlight.npu import Device as SimulatedNpu
    from pilotlight.npu.stream.memory import MappedMemory

    memory = MappedMemory()
    for window in windows:
        block = mmap.mmap(shared, window.size_bytes, offset=window.address - shared_origin)
        memory.add(window.address, np.frombuffer(block, dtype=np.uint8), writable=True, name=window.name)
    device = SimulatedNpu(config, memory)
    watch(device, memory)
    mirrored = _MIRRORED + (_MIRRORED_U85 if family_of(config).name == "ethos-u85" else ())
    return Server(page, line, device, mirrored, faults=faults).serve()


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m pilotlight.targets.npu_process")
    parser.add_argument("--config", required=True, help="ethos-u55-128 and so on")
    parser.add_argument("--shared-fd", type=int, required=True, help="file that holds the shared memory")
    parser.add_argument("--shared-origin", type=int, required=True, help="address of the file's first byte")
    parser.add_argument("--line-fd", type=int, required=True, help="doorbell in, interrupt out: a byte each")
    parser.add_argument("--page", type=int, required=True, help="address of the mailbox page")
    parser.add_argument(
        "--window", action="append", default=[], help="NAME:ADDRESS:SIZE of memory that the NPU can reach"
    )
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS, help="misbehave in this way")
    args = parser.parse_args(arguments)

    page = Page(args.shared_fd, args.page - args.shared_origin)
    line = socket.socket(fileno=os.dup(args.line_fd))
    windows = [Window(name, int(address), int(size)) for name, address, size in (w.split(":") for w in args.window)]
    how = serve_board(args.config, args.shared_fd, args.shared_origin, page, line, windows, faults=tuple(args.fault))
    if how == "restart":
        print("reset during a run: starting afresh", flush=True)
        again = [argument for argument in arguments if argument != f"--fault={_HANG_ONCE}"]
        os.execv(sys.executable, [sys.executable, "-m", "pilotlight.targets.npu_process", *again])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
