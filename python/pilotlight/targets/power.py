# SPDX-License-Identifier: Apache-2.0
"""Powers a build's board up and down, and finds its console."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.build_folder import BuildFolder
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, TargetDied, TargetError, TargetNotRunning
from pilotlight.paths import ROOT
from pilotlight.targets.child import last_line
from pilotlight.targets.resets import RESETS_HINT, last_fault
from pilotlight.targets.runners import runner_of
from pilotlight.targets.state import (
    ENDED,
    OFF,
    TargetState,
    load_state,
    process_ended,
    supervisor_alive,
)

IDLE_LIMIT_S = 900.0
_START_DEADLINE_S = 45.0
_STOP_DEADLINE_S = 10.0
_FIRST_WORD_S = 2.0


@dataclass(frozen=True)
class PoweredTarget:
    """A board that is powered up."""

    url: str
    """Address of the console, for `pilotlight.link.open_link`."""
    state: TargetState


def power_up(
    build_dir: Path,
    *,
    npu: str | None = None,
    idle_limit_s: float = IDLE_LIMIT_S,
    npu_faults: tuple[str, ...] = (),
) -> PoweredTarget:
    """Power the build's board up with its image. A board that is on is powered off first.

    npu: the NPU that the emulator shall have; by default the one that the model was exported for.
    idle_limit_s: the board stays on until `power_off`, or until it has been idle for this time.
    npu_faults: faults of a simulated NPU (npu_process.FAULTS), for tests.

    Raises ConfigError (no such build, board or NPU), EmulatorMissing, TargetError (it did not
    start).
    """
    build_dir = build_dir.resolve()
    files = BuildFolder(build_dir)
    build = files.info()
    if not (build_dir / build.elf).is_file():
        raise ConfigError(f"{build_dir}: no {build.elf}", hint="west build")
    board = load_board(build.board)
    chosen = npu or (build.npu if board.npu.configurable else board.npu.config)
    possible = board.npu.configurable or (board.npu.config,)
    if chosen not in possible:
        raise ConfigError(f"{board.name} cannot have the NPU {chosen!r}", hint=f"one of {', '.join(possible)}")
    runner_of(board).find()

    power_off(build_dir)
    files.target.mkdir(exist_ok=True)
    files.target_state.unlink(missing_ok=True)
    files.target_fault_dump.unlink(missing_ok=True)
    log = files.target / "supervisor.log"
    arguments = ["--npu", chosen, "--idle-limit", str(idle_limit_s), *(f"--npu-fault={fault}" for fault in npu_faults)]
    state = _await_running(_start_supervisor(build_dir, arguments, log), build_dir, board.name, log)
    return PoweredTarget(_url(state), state)


def _start_supervisor(build_dir: Path, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "pilotlight.targets.supervisor", str(build_dir), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        )


def _await_running(supervisor: subprocess.Popen[bytes], build_dir: Path, board: str, log: Path) -> TargetState:
    """Wait until the supervisor's board runs. log: of the supervisor.

    Raises TargetError if the supervisor ends or takes too long.
    """
    hint = f"see the logs in {log.parent}"
    deadline = Deadline(_START_DEADLINE_S)
    while not deadline.passed:
        ended = supervisor.poll() is not None  # checked before the state
        state = load_state(build_dir)
        if state.running:
            return state
        if ended:
            why = state.reason if state.phase == ENDED else last_line(log)
            raise TargetError(f"{board} did not power up: {why}", hint=hint)
        time.sleep(0.01)
    supervisor.kill()
    supervisor.wait()
    raise TargetError(f"{board} did not power up within {_START_DEADLINE_S:g} s", hint=hint)


def await_first_word(build_dir: Path) -> None:
    """Wait up to 2 s for the board's first output. An app may have no output at all.

    Raises TargetDied if the board ends during this time, or resets again and again.
    """
    build_dir = build_dir.resolve()
    deadline = Deadline(_FIRST_WORD_S)
    log = BuildFolder(build_dir).console_log
    while not deadline.passed:
        state = load_state(build_dir)
        if state.resets_repeatedly:
            raise TargetDied(f"{state.board}: {state.reason}{last_fault(build_dir)}", hint=RESETS_HINT)
        if not state.running:
            raise TargetDied(
                f"{state.board} ended as soon as it was on: {state.reason}",
                hint=f"see the logs in {BuildFolder(build_dir).target}",
            )
        # If the board has reset, its first output does not prove that it runs without resets.
        if not state.reboots and log.is_file() and log.stat().st_size:
            return
        time.sleep(0.01)


def power_off(build_dir: Path) -> bool:
    """Power the build's board off. Returns False if it was off.

    No process is left when this returns. Raises TargetError if the supervisor does not end.
    """
    build_dir = build_dir.resolve()
    if not supervisor_alive(build_dir):
        return False
    pid = load_state(build_dir).supervisor_pid
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            if pid:
                os.kill(pid, number)
        except ProcessLookupError:
            pass
        deadline = Deadline(_STOP_DEADLINE_S)
        while not deadline.passed:
            if not supervisor_alive(build_dir) and (process_ended(pid) or not pid):
                return True
            time.sleep(0.01)
    raise TargetError(f"process {pid} of {build_dir} does not end", hint=f"kill -9 {pid}")


def status(build_dir: Path) -> TargetState:
    """Return the present state of the build's target. If it died, `reason` says why."""
    return load_state(build_dir.resolve())


def connect(build_dir: Path) -> str:
    """Return the address of the running target's console, for `pilotlight.link.open_link`.

    Raises TargetNotRunning if the target is off, has died (the message says why) or runs another
    build; TargetDied if it resets again and again.
    """
    build_dir = build_dir.resolve()
    state = load_state(build_dir)
    if state.resets_repeatedly:
        raise TargetDied(f"{state.board}: {state.reason}{last_fault(build_dir)}", hint=RESETS_HINT)
    if not state.running:
        why = "was never powered up" if state.phase == OFF else f"is not running: {state.reason or state.phase}"
        raise TargetNotRunning(f"the target of {build_dir} {why}", hint="west flash")
    if state.build_id != BuildFolder(build_dir).info().build_id:
        raise TargetNotRunning(f"{build_dir} was built again after its target was powered up", hint="west flash")
    return _url(state)


def can_answer(build_dir: Path) -> bool:
    """Whether the image speaks the check protocol. Raises ConfigError without a finished build."""
    return BuildFolder(build_dir).info().tells_build_id


def board_of(build_dir: Path) -> str:
    """Return the board of the folder's image. Raises ConfigError without a finished build."""
    return BuildFolder(build_dir).info().board


def _url(state: TargetState) -> str:
    return f"socket://127.0.0.1:{state.console_port}"
