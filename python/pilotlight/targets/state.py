# SPDX-License-Identifier: Apache-2.0
"""The state of a build's target: <build>/target/state.json, and whether its supervisor is alive.

The supervisor holds a lock on <build>/target/lock while it is alive. The kernel releases the lock,
however the supervisor ends. A process number would not be enough, because it may belong to another
process by now.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pilotlight.build_folder import BuildFolder
from pilotlight.files import write_atomically

STARTING, RUNNING, ENDED, OFF = "starting", "running", "ended", "off"


@dataclass(frozen=True)
class TargetState:
    """`phase` is starting, running, ended (`reason` says why) or off (never powered up)."""

    phase: str = OFF
    reason: str = ""
    board: str = ""
    model: str = ""
    build_id: str = ""
    npu: str = ""
    supervisor_pid: int = 0
    emulator_pid: int = 0
    npu_pid: int = 0
    """Process of the NPU simulator; 0 if the emulator contains the NPU."""
    npu_ended: str = ""
    """How the simulator ended, if it did while the board stayed on."""
    console_port: int = 0
    reboots: int = 0
    """Resets since power-up. Always 0 if the emulator does not report them (the FVP)."""
    resets_repeatedly: bool = False
    """It was switched off because it reset again and again without a client's request."""

    @property
    def running(self) -> bool:
        return self.phase == RUNNING

    @property
    def died(self) -> bool:
        """Whether the core locked up or the emulator ended by itself."""
        return self.phase == ENDED and ("locked up" in self.reason or "emulator ended" in self.reason)


def save_state(build_dir: Path, state: TargetState) -> None:
    """Replace state.json atomically: a reader sees the old state or the new one."""
    path = BuildFolder(build_dir).target_state
    write_atomically(path, json.dumps(asdict(state), indent=2) + "\n")


def load_state(build_dir: Path) -> TargetState:
    """Return the present state. The state is ENDED if the supervisor is dead, whatever the file
    says."""
    path = BuildFolder(build_dir).target_state
    try:
        state = TargetState(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return TargetState()
    except (json.JSONDecodeError, TypeError):
        return TargetState(phase=ENDED, reason=f"{path} is damaged")
    if state.phase in (STARTING, RUNNING) and not supervisor_alive(build_dir):
        return replace(state, phase=ENDED, reason="its supervisor was killed, and the emulator with it")
    return state


def supervisor_alive(build_dir: Path) -> bool:
    """Whether the supervisor holds the lock of this build folder."""
    try:
        descriptor = os.open(BuildFolder(build_dir).target_lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # A shared lock, so that two callers do not take each other for the supervisor.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def take_lock(build_dir: Path) -> bool:
    """Become the supervisor until this process ends. Returns False if there is one already.

    The descriptor stays open on purpose: the kernel releases the lock when the process ends.
    """
    descriptor = os.open(BuildFolder(build_dir).target_lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True


def process_ended(pid: int) -> bool:
    """Whether the process has ended; a zombie counts as ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rsplit(")", 1)[1].split()[0] == "Z"
