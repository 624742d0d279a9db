# SPDX-License-Identifier: Apache-2.0
"""`west build -t TARGET` runs a target of the build system, as in Zephyr."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pilotlight.cli import main

PROJECT = """
cmake_minimum_required(VERSION 3.28)
project(tiny LANGUAGES NONE)
add_custom_target(greet COMMAND ${CMAKE_COMMAND} -E echo "good morning")
add_custom_target(fail COMMAND ${CMAKE_COMMAND} -E false)
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    (tmp_path / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
    command = ["cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build"]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "build"


def test_its_output_is_seen(configured: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "-d", str(configured), "-t", "greet"]) == 0
    assert "good morning" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("fail", 70, "the target fail failed"),
        ("nothing", 70, "west build -t help lists the targets"),
        ("ethos-u55-128", 20, "for the NPU: --npu ethos-u55-128"),
    ],
)
def test_what_does_not_work_is_said(
    configured: Path, capfd: pytest.CaptureFixture[str], target: str, code: int, said: str
) -> None:
    assert main(["build", "-d", str(configured), "-t", target]) == code
    assert said in capfd.readouterr().err


def test_a_folder_that_was_not_built_has_no_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "-d", str(tmp_path), "-t", "greet"]) == 20
    assert "was not built before" in capsys.readouterr().err
