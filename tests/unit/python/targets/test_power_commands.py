# SPDX-License-Identifier: Apache-2.0
"""Powering up with emulators that are missing, broken, or replaced.

Small scripts replace them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from bounded import wait_until

from pilotlight import targets
from pilotlight.build_folder.build_info import BuildInfo
from pilotlight.errors import ConfigError, EmulatorMissing, TargetDied, TargetError, TargetNotRunning
from pilotlight.targets import flash_command, poweroff_command
from pilotlight.targets.state import process_ended

FVP = "FVP_Corstone_SSE-300_Ethos-U55"

# Prints what the FVP prints, echoes on its terminal, and records its command line.
FAKE_FVP = """#!/usr/bin/env python3
import pathlib, socket, sys
pathlib.Path(__file__).with_name("arguments").write_text("\\n".join(sys.argv[1:]))
server = socket.create_server(("127.0.0.1", 0))
print("telnetterminal1: Listening for serial connection on port 1", flush=True)
print(f"telnetterminal0: Listening for serial connection on port {server.getsockname()[1]}", flush=True)
wire, _ = server.accept()
while data := wire.recv(4096):
    wire.sendall(data)
"""


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "firmware.elf").write_bytes(b"an image")
    yield folder
    targets.power_off(folder)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder at the front of PATH, before the system programs that scripts need."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.delenv("PILOTLIGHT_FVP", raising=False)
    return folder


def describe(build: Path, board: str, npu: str = "ethos-u55-64") -> None:
    BuildInfo(board, board, "none", "0" * 16, True, npu, "firmware.elf").save(build)


def install(path: Path, script: str) -> None:
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


def test_a_missing_qemu_is_named_with_its_package(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(build, "qemu-corstone300")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmulatorMissing, match="qemu-system-arm, which is not on PATH") as caught:
        targets.power_up(build)
    assert caught.value.hint == "apt-get install qemu-system-arm"
    assert not (build / "target").exists()


def test_a_missing_fvp_is_named_with_where_to_get_it(build: Path, tools: Path) -> None:
    describe(build, "corstone300-fvp")
    with pytest.raises(EmulatorMissing, match=FVP) as caught:
        targets.power_up(build)
    assert "PILOTLIGHT_FVP" in caught.value.hint


def test_a_wrong_pilotlight_fvp_is_not_passed_over(
    build: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(build, "corstone300-fvp")
    install(tools / FVP, FAKE_FVP)
    monkeypatch.setenv("PILOTLIGHT_FVP", str(tmp_path / "nowhere"))
    with pytest.raises(EmulatorMissing, match="nowhere"):
        targets.power_up(build)


@pytest.mark.parametrize("how", ["PATH", "executable", "folder"])
def test_the_fvp_is_started_with_the_npu_of_the_model_and_its_terminal_found(
    build: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    describe(build, "corstone300-fvp")
    home = tools if how == "PATH" else tmp_path
    install(home / FVP, FAKE_FVP)
    if how != "PATH":
        monkeypatch.setenv("PILOTLIGHT_FVP", str(home / FVP if how == "executable" else home))
    powered = targets.power_up(build)
    arguments = (home / "arguments").read_text(encoding="utf-8").splitlines()
    assert "ethosu.num_macs=64" in arguments
    assert "mps3_board.telnetterminal0.start_telnet=0" in arguments
    assert arguments[-2:] == ["-a", str(build / "firmware.elf")]
    assert targets.connect(build) == powered.url
    with socket.create_connection(("127.0.0.1", powered.state.console_port), timeout=60) as wire:
        wire.sendall(b"there and back")
        assert wire.recv(64) == b"there and back"


def test_an_emulator_that_ends_at_once_is_an_error_with_its_last_words(build: Path, tools: Path) -> None:
    describe(build, "corstone300-fvp")
    install(tools / FVP, "#!/bin/sh\necho 'licence expired' >&2\nexit 5\n")
    with pytest.raises(TargetError, match="the FVP did not start: exit code 5: licence expired"):
        targets.power_up(build)
    assert "licence expired" in targets.status(build).reason


def test_a_qemu_that_refuses_its_options_says_so_and_leaves_no_process(build: Path, tools: Path) -> None:
    describe(build, "qemu-corstone300")
    install(tools / "qemu-system-arm", "#!/bin/sh\necho 'unsupported machine type' >&2\nexit 1\n")
    with contextlib.suppress(TargetError):  # power_up() may or may not see it running first.
        targets.power_up(build)
    wait_until(lambda: not targets.status(build).running, "the board's end")
    state = targets.status(build)
    assert "exit code 1: unsupported machine type" in state.reason
    assert process_ended(state.npu_pid)


def test_a_firmware_that_resets_for_ever_is_ended(build: Path) -> None:
    describe(build, "host")
    (build / "firmware.elf").unlink()
    install(build / "firmware.elf", "#!/bin/sh\necho 'CHECK failed: 1 == 2' >&2\nexit 3\n")
    with contextlib.suppress(TargetError):  # power_up() may or may not see it running first.
        targets.power_up(build)
    wait_until(lambda: not targets.status(build).running, "the board's end")
    state = targets.status(build)
    assert state.resets_repeatedly
    assert state.reason == (
        "the firmware resets again and again, 10 times since it was powered up: CHECK failed: 1 == 2"
    )
    with pytest.raises(TargetDied, match="CHECK failed: 1 == 2; no fault was recorded"):
        targets.connect(build)


def test_an_npu_that_the_emulator_cannot_have_is_refused(build: Path) -> None:
    describe(build, "host")
    with pytest.raises(ConfigError, match="'ethos-u85-256'") as caught:
        targets.power_up(build, npu="ethos-u85-256")
    assert "ethos-u55-32" in caught.value.hint


def test_a_folder_without_a_build_says_to_build(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no build_info\.json") as caught:
        targets.power_up(tmp_path)
    assert caught.value.hint == "west build"


def test_a_target_that_was_never_powered_up_says_so(build: Path) -> None:
    describe(build, "host")
    with pytest.raises(TargetNotRunning, match="was never powered up") as caught:
        targets.connect(build)
    assert caught.value.hint == "west flash"
    assert targets.power_off(build) is False


def test_a_damaged_state_file_is_not_a_running_target(build: Path) -> None:
    (build / "target").mkdir()
    (build / "target" / "state.json").write_text('{"phase": "run', encoding="utf-8")
    assert not targets.status(build).running


def test_flash_and_poweroff_report_what_they_did(build: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    describe(build, "corstone300-fvp")
    install(tools / FVP, FAKE_FVP)
    assert command("flash", "-d", str(build), "-r", "fvp", "--npu", "ethos-u55-32", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["board"], shown["npu"], shown["phase"]) == ("corstone300-fvp", "ethos-u55-32", "running")
    assert shown["url"] == targets.connect(build)
    assert command("poweroff", "-d", str(build)) == 0
    assert capsys.readouterr().out == "powered off\n"
    assert command("poweroff", "-d", str(build)) == 0
    assert capsys.readouterr().out.startswith("nothing was running")


def test_an_unknown_runner_is_answered_with_the_one_there_is(build: Path) -> None:
    describe(build, "qemu-corstone300")
    with pytest.raises(ConfigError, match="no runner 'jlink'") as caught:
        command("flash", "-d", str(build), "-r", "jlink")
    assert caught.value.hint == "west flash -r qemu"


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for module in (flash_command, poweroff_command):
        module.add_parser(subparsers)
    args = parser.parse_args(words)
    return int(args.handler(args))
