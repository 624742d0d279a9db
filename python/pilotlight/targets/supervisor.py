# SPDX-License-Identifier: Apache-2.0
"""The process that keeps one build's board powered up: `python -m pilotlight.targets.supervisor
<build>`.

The supervisor owns the NPU simulator and the emulator and serves the console. It ends when it is
told to, when the board has been idle for the idle limit, or when the emulator ends. The
supervisor's children end when it ends for any reason.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pilotlight.boards import MAILBOX_ROLE, Board, load_board
from pilotlight.build_folder import BuildFolder
from pilotlight.deadline import Deadline
from pilotlight.errors import BadFaultDump, PilotlightError, TargetError
from pilotlight.files import write_atomically
from pilotlight.link.fault_dump import LENGTH as FAULT_DUMP_BYTES
from pilotlight.link.fault_dump import FaultDump
from pilotlight.paths import ROOT
from pilotlight.targets.child import how_it_ended, last_line, start_child
from pilotlight.targets.console import ConsoleServer
from pilotlight.targets.mailbox import Page
from pilotlight.targets.monitor import Monitor
from pilotlight.targets.runners import Descriptors, runner_of
from pilotlight.targets.state import (
    ENDED,
    RUNNING,
    STARTING,
    TargetState,
    save_state,
    take_lock,
)

_START_DEADLINE_S = 20.0
_LOOK_INTERVAL_S = 0.1
# Limit for a board that resets as soon as it runs. Resets that follow a client's bytes do not
# count, because the client may have requested them.
_MOST_REBOOTS, _REBOOT_PERIOD_S = 10, 5.0


class Supervisor:
    """Keeps one board powered up. run() returns when the board is off."""

    def __init__(self, build_dir: Path, npu: str, idle_limit_s: float, npu_faults: list[str]) -> None:
        self._build_dir, self._idle_limit_s, self._npu_faults = build_dir, idle_limit_s, npu_faults
        self._files = BuildFolder(build_dir)
        self._folder, build = self._files.target, self._files.info()
        self._board: Board = load_board(build.board)
        self._runner = runner_of(self._board)
        self._emulator_log = self._folder / "emulator.log"
        self._image = build_dir / build.elf
        self._state = TargetState(
            phase=STARTING,
            board=self._board.name,
            model=build.model,
            build_id=build.build_id,
            npu=npu,
            supervisor_pid=os.getpid(),
        )
        self._stop_reason = ""
        # One deadline per reboot. If the oldest of the last ten deadlines has not passed, the board
        # is in a reset loop.
        self._reboots: deque[Deadline] = deque(maxlen=_MOST_REBOOTS)
        self._page: Page | None = None
        self._simulator: subprocess.Popen[bytes] | None = None
        self._emulator: subprocess.Popen[bytes] | None = None
        self._shared = -1
        # Both ends stay open: a host process that resets is started again with the same ones.
        self._console, self._emulator_console = socket.socketpair()
        self._npu_line, self._emulator_line = socket.socketpair()
        monitor, self._emulator_monitor = socket.socketpair()
        self._monitor = Monitor(monitor)
        self._kept = b""

    def run(self) -> None:
        """Power up, serve, power down. state.json records the result."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._update()
        console: ConsoleServer | None = None
        try:
            self._start_simulator()
            self._emulator = self._start_emulator()
            own = self._runner.connect_console(self._emulator, self._emulator_log, lambda: bool(self._stop_reason))
            console = ConsoleServer(own or self._console, self._files.console_log)
            self._update(phase=RUNNING, emulator_pid=self._emulator.pid, console_port=console.port)
            reason = self._serve(console)
        except (PilotlightError, OSError) as error:
            reason = str(error)
        for child in (self._emulator, self._simulator):
            if child is not None:
                child.kill()
                child.wait()
        # Write the state before the console closes, so that clients can read the reason.
        self._update(phase=ENDED, reason=reason)
        if console is not None:
            console.close()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_reason = "powered off"

    def _update(self, **changes: object) -> None:
        self._state = replace(self._state, **changes)  # type: ignore[arg-type]
        save_state(self._build_dir, self._state)

    def _start_simulator(self) -> None:
        """Start the simulator and wait until it is ready. It starts before the emulator."""
        shared = self._board.shared_memory
        if shared is None:
            return
        # Anonymous memory: it has no file on disk and is freed when the last process that has it
        # ends.
        self._shared = os.memfd_create("pilotlight-board-memory")
        os.truncate(self._shared, shared.size)
        page_address = self._board.region_of(MAILBOX_ROLE)[1].origin
        self._page = Page(self._shared, page_address - shared.origin)
        self._page.initialise(secrets.randbits(32))
        regions = {name: self._board.memory[name] for name in self._board.npu.visible}
        log = self._folder / "npu.log"
        self._simulator = start_child(
            [
                *(sys.executable, "-m", "pilotlight.targets.npu_process", "--config", self._state.npu),
                *("--shared-fd", str(self._shared), "--shared-origin", str(shared.origin)),
                *("--line-fd", str(self._npu_line.fileno()), "--page", str(page_address)),
                *(f"--window={name}:{region.origin}:{region.size}" for name, region in regions.items()),
                *(f"--fault={fault}" for fault in self._npu_faults),
            ],
            log=log,
            descriptors=(self._shared, self._npu_line.fileno()),
            environment={"PYTHONPATH": str(ROOT / "python")},
        )
        deadline = Deadline(_START_DEADLINE_S)
        while not self._page.present and not self._stop_reason:
            if (code := self._simulator.poll()) is not None:
                raise TargetError(f"the NPU simulator did not start: {how_it_ended(code)}: {last_line(log)}")
            if deadline.passed:
                raise TargetError(f"the NPU simulator was not ready within {_START_DEADLINE_S:g} s")
            time.sleep(0.005)
        self._update(npu_pid=self._simulator.pid)

    def _start_emulator(self) -> subprocess.Popen[bytes]:
        inherited = Descriptors(
            self._emulator_console.fileno(),
            self._emulator_line.fileno(),
            self._shared,
            self._emulator_monitor.fileno(),
        )
        return start_child(
            self._runner.command(self._image, self._state.npu, inherited),
            log=self._emulator_log,
            descriptors=self._runner.inherits(inherited),
            environment=self._runner.environment(inherited),
        )

    def _serve(self, console: ConsoleServer) -> str:
        """Serve until the board ends, and return the reason."""
        assert self._emulator is not None
        while not self._stop_reason:
            console.serve(_LOOK_INTERVAL_S)
            resets = self._monitor.resets()
            if (code := self._emulator.poll()) is not None:
                if code != self._runner.reset_code:
                    said = last_line(self._emulator_log)
                    ended = f"the emulator ended: {how_it_ended(code)}" + (f": {said}" if said else "")
                    return self._runner.explain_end(said) or ended
                resets = 1
            if resets and self._count_resets(resets, console):
                return self._state.reason
            if code is not None:
                self._emulator = self._start_emulator()
                self._update(emulator_pid=self._emulator.pid)
            if self._simulator is not None and (code := self._simulator.poll()) is not None:
                self._report_lost_npu(how_it_ended(code))
            if console.unused_for_s() > self._idle_limit_s:
                return f"idle for {self._idle_limit_s:g} s"
        return self._stop_reason

    def _count_resets(self, resets: int, console: ConsoleServer) -> bool:
        """Count resets and save the fault dump. Returns whether the board is in a reset loop."""
        self._keep_fault()
        unasked = resets - 1 if console.take_asked() else resets
        for _ in range(min(unasked, _MOST_REBOOTS)):
            self._reboots.append(Deadline(_REBOOT_PERIOD_S))
        repeatedly = len(self._reboots) == _MOST_REBOOTS and not self._reboots[0].passed
        count = self._state.reboots + resets
        self._update(reboots=count, resets_repeatedly=repeatedly, reason=self._loop(count) if repeatedly else "")
        return repeatedly

    def _loop(self, count: int) -> str:
        said = last_line(self._emulator_log)
        reason = f"the firmware resets again and again, {count} times since it was powered up"
        return f"{reason}: {said}" if said else reason

    def _keep_fault(self) -> None:
        if self._page is None:
            return
        dump = self._page.kept(FAULT_DUMP_BYTES)
        if dump == self._kept:
            return
        try:
            FaultDump.decode(dump)
        except BadFaultDump:
            return  # there is no dump, or it is just being written
        self._kept = dump
        write_atomically(self._files.target_fault_dump, dump)
        if not self._runner.keeps_dump_in_page:
            # An emulated core keeps its dump elsewhere, so this was only a copy. A host process
            # reads its dump from this page.
            self._page.clear_kept()

    def _report_lost_npu(self, how: str) -> None:
        """Record that the simulator ended. The board stays on, like one with a dead peripheral."""
        assert self._page is not None
        self._page.present = False
        self._simulator = None
        said = last_line(self._folder / "npu.log")
        self._update(npu_ended=f"the NPU simulator ended: {how}" + (f": {said}" if said else ""))


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m pilotlight.targets.supervisor")
    parser.add_argument("build_dir", type=Path)
    parser.add_argument("--npu", required=True)
    parser.add_argument("--idle-limit", type=float, required=True, help="seconds")
    parser.add_argument("--npu-fault", action="append", default=[])
    args = parser.parse_args(arguments)
    if not take_lock(args.build_dir):
        print("this build is powered up already", file=sys.stderr)
        return 1
    Supervisor(args.build_dir, args.npu, args.idle_limit, args.npu_fault).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
