# SPDX-License-Identifier: Apache-2.0
"""A chip and a runner are added by new files alone: the folders of `additions/`, laid over a copy
of the repository.

docs/HOW_TO_ADD.md has them as examples.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bounded import wait_until

from pilotlight.build_folder.build_info import BuildInfo
from pilotlight.paths import ROOT

ADDITIONS = Path(__file__).resolve().parent / "additions"
# What builds and runs an image that has no model.
NEEDED = ("boards", "cmake", "firmware/base", "firmware/platform", "python/pilotlight", "tests/emulator/firmware")


@pytest.fixture
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a copy of the repository with the files of one addition.

    The addition must replace no file.
    """
    copy = tmp_path / "repository"
    for folder in NEEDED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    addition = ADDITIONS / request.param
    files = [file.relative_to(addition) for file in addition.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert [file for file in files if (copy / file).exists()] == []
    shutil.copytree(addition, copy, dirs_exist_ok=True)
    return copy


def run(command: list[str], repository: Path, timeout_s: float = 300, given: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(repository / "python")}
    done = subprocess.run(
        command, cwd=repository, env=environment, input=given, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("repository", ["chip"], indirect=True)
def test_a_chip_is_a_folder_of_the_platform_and_a_board_that_names_it(repository: Path) -> None:
    build = repository / "build"
    probe = repository / "tests/emulator/firmware"
    python = f"-DPILOTLIGHT_PYTHON={sys.executable}"
    run(["cmake", "-S", str(probe), "-B", str(build), "-G", "Ninja", "-DBOARD=example", python], repository)
    run(["cmake", "--build", str(build), "-j", "2"], repository)
    machine = ["qemu-system-arm", "-machine", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "stdio"]
    emulator = subprocess.Popen(
        [*machine, "-kernel", str(build / "firmware.elf")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert emulator.stdin is not None and emulator.stdout is not None
        assert emulator.stdout.readline() == b"\n"
        assert emulator.stdout.readline().startswith(b"probe boot ")
        emulator.stdin.write(b"s\n")
        emulator.stdin.flush()
        assert emulator.stdout.readline().endswith(b" of 32768\n")
    finally:
        emulator.kill()
        emulator.wait()


@pytest.mark.parametrize("repository", ["runner"], indirect=True)
def test_a_runner_is_one_file_and_a_board_that_names_it(repository: Path) -> None:
    build = repository / "build"
    build.mkdir()
    image = build / "firmware.elf"
    image.write_text('#!/bin/sh\necho "$GREETING" > "$0.greeting"\nexec sleep 300\n', encoding="utf-8")
    image.chmod(0o755)
    BuildInfo("wrapped", "wrapped", "none", "0" * 16, True, "ethos-u55-128", image.name).save(build)
    pilotlight = [sys.executable, "-m", "pilotlight"]
    try:
        assert "wrapped is on" in run([*pilotlight, "flash", "-d", str(build), "--runner", "wrapped"], repository)
        greeting = build / "firmware.elf.greeting"
        wait_until(lambda: greeting.exists() and greeting.read_text(encoding="utf-8") == "hello\n", "the greeting")
    finally:
        assert "powered off" in run([*pilotlight, "poweroff", "-d", str(build)], repository)
