# SPDX-License-Identifier: Apache-2.0
"""Finds each kind of emulator and builds its command line."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pilotlight.boards import Board
from pilotlight.errors import ConfigError, EmulatorMissing
from pilotlight.npu_names import macs_of


@dataclass(frozen=True)
class Descriptors:
    """File descriptors that the emulator inherits: console, doorbell, shared memory and monitor.

    monitor: -1 if nobody listens to it.
    """

    console: int
    line: int
    shared: int
    monitor: int = -1


def find_emulator(board: Board) -> Path | None:
    """Return the emulator's executable, or None if the image itself is the program.

    Raises EmulatorMissing if it is not installed, ConfigError if the board is not emulated.
    """
    emulator = board.emulator
    if emulator is None:
        raise ConfigError(f"{board.name} is not emulated", hint="flash it with its own tool")
    if emulator.executable is None:
        return None
    if emulator.kind == "fvp" and (named := os.environ.get("PILOTLIGHT_FVP")):
        path = Path(named)
        path = path / emulator.executable if path.is_dir() else path
        if not os.access(path, os.X_OK):
            raise EmulatorMissing(
                f"PILOTLIGHT_FVP={named}: no executable {path}",
                hint="set it to the FVP's executable or to the folder that holds it",
            )
        return path
    found = shutil.which(emulator.executable)
    if found is None:
        if emulator.kind == "fvp":
            hint = (
                "install Arm's Corstone-300 Ecosystem FVP (free of charge, from Arm's developer site) and put it on "
                "PATH, or name it in PILOTLIGHT_FVP; without it: -b qemu-corstone300"
            )
        else:
            hint = f"apt-get install {emulator.debian_package or emulator.executable}"
        raise EmulatorMissing(f"{board.name} needs {emulator.executable}, which is not on PATH", hint=hint)
    return Path(found)


def emulator_command(board: Board, executable: Path | None, image: Path, npu: str, inherited: Descriptors) -> list[str]:
    """Return the command line that starts `board` with `image` in its memory."""
    assert board.emulator is not None
    if board.emulator.kind == "qemu":
        assert board.shared_memory is not None
        monitor = ("-chardev", f"socket,id=monitor,fd={inherited.monitor}", "-mon", "chardev=monitor,mode=control")
        # Only with a monitor, so only for the supervisor. Counting slows QEMU down, and the
        # stand-in for the FVP shows no counts.
        counting = ("-icount", f"shift={board.emulator.instruction_ns.bit_length() - 1},sleep=on,align=off")
        return [
            str(executable),
            *("-machine", f"{board.emulator.machine},memory-backend=shared"),
            "-object",
            f"memory-backend-file,id=shared,size={board.shared_memory.size},"
            f"mem-path=/proc/self/fd/{inherited.shared},share=on",
            *("-display", "none", "-monitor", "none"),
            *(monitor if inherited.monitor >= 0 else ()),
            # Board time is counted in instructions. While the CPU sleeps, it follows host time
            # (sleep=on), because the CPU then waits for the NPU simulator, which is another
            # process.
            *(counting if inherited.monitor >= 0 else ()),
            *("-chardev", f"socket,id=console,fd={inherited.console}", "-serial", "chardev:console"),
            *("-chardev", f"socket,id=npu,fd={inherited.line}", "-serial", "chardev:npu"),
            *("-kernel", str(image)),
        ]
    if board.emulator.kind == "fvp":
        parameters = {
            "ethosu.num_macs": str(macs_of(npu)),
            "mps3_board.visualisation.disable-visualisation": "1",
            "mps3_board.telnetterminal0.start_telnet": "0",
            "mps3_board.telnetterminal0.mode": "raw",
            "mps3_board.telnetterminal1.start_telnet": "0",
            "mps3_board.telnetterminal2.start_telnet": "0",
            "mps3_board.telnetterminal5.start_telnet": "0",
        }
        options = [word for key, value in parameters.items() for word in ("-C", f"{key}={value}")]
        return [str(executable), *options, "-a", str(image)]
    return [str(image)]


def emulator_environment(board: Board, inherited: Descriptors) -> dict[str, str]:
    """Return the environment variables of a host process."""
    assert board.emulator is not None
    if board.emulator.kind != "process":
        return {}
    return {
        "PILOTLIGHT_CONSOLE_FD": str(inherited.console),
        "PILOTLIGHT_NPU_FD": str(inherited.line),
        "PILOTLIGHT_SHARED_FD": str(inherited.shared),
    }
