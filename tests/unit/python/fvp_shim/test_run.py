# SPDX-License-Identifier: Apache-2.0
"""The stand-in and its emulator, which a script plays."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pilotlight.fvp_shim.command import install_executables

# Prints a text with EOT in its middle on the descriptor of the console, and then sleeps.
EMULATOR = r"""#!/bin/sh
for word; do
  case $word in socket,id=console,fd=*) console=${word##*=};; esac
done
eval "exec 1>&$console"
printf 'before\n\004after\n'
exec sleep 600
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> list[str]:
    """Return the start of a command line that runs an image on the emulator above."""
    install_executables(tmp_path / "bin")
    emulator = tmp_path / "bin" / "qemu-system-arm"
    emulator.write_text(EMULATOR, encoding="utf-8")
    emulator.chmod(0o755)
    (tmp_path / "image.elf").touch()
    return [str(tmp_path / "bin" / "FVP_Corstone_SSE-320"), "-a", str(tmp_path / "image.elf")]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_eot_ends_the_run_if_the_caller_asks_for_that(stand_in: list[str], tmp_path: Path) -> None:
    done = run([*stand_in, "-C", "mps4_board.uart0.shutdown_on_eot=1", "--timelimit", "20"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "before\n"), done.stderr


def test_eot_is_a_character_like_others_if_the_caller_does_not_ask(stand_in: list[str], tmp_path: Path) -> None:
    done = run([*stand_in, "--timelimit", "1"], tmp_path)
    assert done.returncode == 3
    assert done.stdout.startswith("before\n\4after\nE pilotlight: still running"), done.stdout


def test_the_console_goes_to_a_file(stand_in: list[str], tmp_path: Path) -> None:
    file = tmp_path / "uart.txt"
    parameters = [f"mps4_board.uart0.out_file={file}", "mps4_board.uart0.shutdown_on_eot=1"]
    options = [word for parameter in parameters for word in ("-C", parameter)]
    done = run([*stand_in, *options, "--timelimit", "20"], tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert file.read_text(encoding="ascii") == "before\n"
