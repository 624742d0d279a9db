# SPDX-License-Identifier: Apache-2.0
"""Power a build's board up and down, and connect to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.boards import load_board
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, TargetDied, TargetError, TargetNotRunning
from pilotlight.paths import ROOT
from pilotlight.targets.child import last_line
from pilotlight.targets.machine import find_emulator
from pilotlight.targets.resets import RESETS_HINT, last_fault
from pilotlight.targets.state import (
    ENDED,
    OFF,
    TargetState,
    kept_fault_file,
    load_state,
    process_ended,
    supervisor_alive,
    target_folder,
)

IDLE_LIMIT_S = 900.0
_START_DEADLINE_S = 45.0
_STOP_DEADLINE_S = 10.0
_FIRST_WORD_S = 2.0


@dataclass(frozen=True)
class PoweredTarget:
    """A board that is on."""

    url: str
    """What pyserial's serial_for_url takes."""
    state: TargetState


def power_up(
    build_dir: Path,
    *,
    npu: str | None = None,
    idle_limit_s: float = IDLE_LIMIT_S,
    npu_faults: tuple[str, ...] = (),
) -> PoweredTarget:
    """Power the build's board up with its image, after powering it off if it was on.

    `npu` is the NPU that the emulator is asked to have; by default the one the model was exported for. It
    stays on until `power_off`, or until nobody has used it for `idle_limit_s`. `npu_faults` lets a simulated
    NPU misbehave (npu_process.FAULTS), for tests of those who rely on it.

    Raises ConfigError (no such build, board or NPU), EmulatorMissing, TargetError (it did not start).
    """
    build_dir = build_dir.resolve()
    info = _build_info(build_dir)
    if not (build_dir / info["elf"]).is_file():
        raise ConfigError(f"{build_dir}: no {info['elf']}", hint="west build")
    board = load_board(info["board"])
    chosen = npu or _built_for(info, board.npu.configurable) or board.npu.config
    possible = board.npu.configurable or (board.npu.config,)
    if chosen not in possible:
        raise ConfigError(f"{board.name} cannot have the NPU {chosen!r}", hint=f"one of {', '.join(possible)}")
    find_emulator(board)

    power_off(build_dir)
    folder = target_folder(build_dir)
    folder.mkdir(exist_ok=True)
    (folder / "state.json").unlink(missing_ok=True)
    kept_fault_file(build_dir).unlink(missing_ok=True)
    log = folder / "supervisor.log"
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [
                *(sys.executable, "-m", "pilotlight.targets.supervisor", str(build_dir)),
                *("--npu", chosen, "--idle-limit", str(idle_limit_s)),
                *(f"--npu-fault={fault}" for fault in npu_faults),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        )
    deadline = Deadline(_START_DEADLINE_S)
    while not deadline.passed:
        ended = supervisor.poll() is not None  # before the state is read, which it writes last
        state = load_state(build_dir)
        if state.running:
            return PoweredTarget(_url(state), state)
        if ended:
            why = state.reason if state.phase == ENDED else last_line(log)
            raise TargetError(f"{board.name} did not power up: {why}", hint=f"see the logs in {folder}")
        time.sleep(0.01)
    supervisor.kill()
    supervisor.wait()
    raise TargetError(f"{board.name} did not power up within {_START_DEADLINE_S:g} s", hint=f"see the logs in {folder}")


def await_first_word(build_dir: Path) -> None:
    """Wait until the board has said something, for a moment at most: an app need not say anything.

    Raises TargetDied when it ends meanwhile, or resets again and again.
    """
    build_dir = build_dir.resolve()
    deadline = Deadline(_FIRST_WORD_S)
    log = target_folder(build_dir) / "console.log"
    while not deadline.passed:
        state = load_state(build_dir)
        if state.resets_repeatedly:
            raise TargetDied(f"{state.board}: {state.reason}{last_fault(build_dir)}", hint=RESETS_HINT)
        if not state.running:
            raise TargetDied(
                f"{state.board} ended as soon as it was on: {state.reason}",
                hint=f"see the logs in {target_folder(build_dir)}",
            )
        # The first word of a board that resets is not its last.
        if not state.reboots and log.is_file() and log.stat().st_size:
            return
        time.sleep(0.01)


def power_off(build_dir: Path) -> bool:
    """Power the build's board off; return False when it was off. No process is left when this returns."""
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
    """Return what is true of the build's target now. A target that died says why in `reason`."""
    return load_state(build_dir.resolve())


def connect(build_dir: Path) -> str:
    """Return the URL of the running target's console, for pyserial's serial_for_url.

    Raises TargetNotRunning when it is off, has died (the message says of what), or runs another build; TargetDied
    when it resets again and again.
    """
    build_dir = build_dir.resolve()
    state = load_state(build_dir)
    if state.resets_repeatedly:
        raise TargetDied(f"{state.board}: {state.reason}{last_fault(build_dir)}", hint=RESETS_HINT)
    if not state.running:
        why = "was never powered up" if state.phase == OFF else f"is not running: {state.reason or state.phase}"
        raise TargetNotRunning(f"the target of {build_dir} {why}", hint="west flash")
    if state.build_id != _build_info(build_dir)["build_id"]:
        raise TargetNotRunning(f"{build_dir} was built again after its target was powered up", hint="west flash")
    return _url(state)


def can_answer(build_dir: Path) -> bool:
    """Whether the folder's image speaks the check protocol. Raises ConfigError when there is no finished build."""
    return bool(_build_info(build_dir.resolve()).get("tells_build_id", True))


def board_of(build_dir: Path) -> str:
    """Return the board that the folder's image is for. Raises ConfigError when there is no finished build."""
    return str(_build_info(build_dir.resolve())["board"])


def _url(state: TargetState) -> str:
    return f"socket://127.0.0.1:{state.console_port}"


def _built_for(info: dict[str, Any], configurable: tuple[str, ...]) -> str | None:
    """The NPU the model was exported for, on a board whose emulator can have any of several."""
    target = info.get("target")
    return str(target) if configurable and target else None


def _build_info(build_dir: Path) -> dict[str, Any]:
    path = build_dir / "build_info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{build_dir} holds no finished build: no build_info.json", hint="west build") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: {error}", hint="delete the folder, then west build") from error
    for key in ("board", "model", "build_id"):
        if not isinstance(info, dict) or not isinstance(info.get(key), str):
            raise ConfigError(f"{path}: {key}: missing, or not a string", hint="delete the folder, then west build")
    return {"elf": "firmware.elf", **info}
