# SPDX-License-Identifier: Apache-2.0
"""Follows the tutorial: types every command and copies every file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import serial
from page import blocks

from pilotlight.paths import ROOT
from pilotlight.targets import connect, power_off

TUTORIAL = ROOT / "firmware" / "examples" / "README.md"


def test_the_tutorial_names_what_it_has_blocks_for() -> None:
    kinds = [(block.kind, block.title) for block in blocks(TUTORIAL)]
    assert ("sh", "set-up") in kinds and ("sh", "interactive") in kinds and ("text", "answers") in kinds
    assert {title for kind, title in kinds if kind not in ("sh", "text")} == {
        "gestures.py",
        "CMakeLists.txt",
        "main.cpp",
    }


def test_every_step_of_the_tutorial_works(tmp_path: Path) -> None:
    folder, printed = tmp_path, ""
    try:
        for block in blocks(TUTORIAL):
            if block.kind == "sh" and block.title == "":
                for command in block.text.splitlines():
                    printed += _type(command, folder)
                    if found := re.search(r"cd (\w+)$", command):
                        folder = tmp_path / found[1]
            elif block.kind == "text" and block.title == "answers":
                assert _ask_the_board(folder / "build" / "wrist") == block.text.split()
            elif block.kind == "text":
                assert block.text.strip() in printed
            elif block.kind != "sh":
                (folder / block.title).write_text(block.text, encoding="utf-8")
    finally:
        for build in (folder / "build" / "check", folder / "build" / "wrist"):
            power_off(build)


def _type(command: str, folder: Path) -> str:
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": python, "PILOTLIGHT": str(ROOT), "COLUMNS": "120"}
    result = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{command}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def _ask_the_board(build: Path) -> list[str]:
    answers = []
    with serial.serial_for_url(connect(build)) as port:
        for key in (b"0", b"1", b"2"):
            port.write(key)
            answers.append(port.readline().decode().strip())
    return answers


@pytest.mark.parametrize("word", ["pyserial-miniterm", "pilotlight"])
def test_the_commands_of_the_tutorial_are_installed(word: str) -> None:
    assert (Path(sys.executable).parent / word).exists()
