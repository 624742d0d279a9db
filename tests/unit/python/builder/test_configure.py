# SPDX-License-Identifier: Apache-2.0
"""CMake configures a folder again when, and only when, another command or another run needs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pilotlight.build_folder import BuildFolder
from pilotlight.builder.compile import compile_firmware, configure
from pilotlight.errors import BuildFailed

PROJECT = """
cmake_minimum_required(VERSION 3.24)
project(empty LANGUAGES NONE)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/result
  COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/input ${CMAKE_BINARY_DIR}/result
  DEPENDS ${CMAKE_SOURCE_DIR}/input)
add_custom_target(copied DEPENDS ${CMAKE_BINARY_DIR}/result)
file(APPEND ${CMAKE_BINARY_DIR}/runs "${WORD}\\n")
if(WORD STREQUAL "wrong")
  message(FATAL_ERROR "not this word")
endif()
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "CMakeLists.txt").write_text(PROJECT)
    return tmp_path / "source"


@pytest.fixture
def folder(tmp_path: Path) -> BuildFolder:
    (tmp_path / "build").mkdir()
    return BuildFolder(tmp_path / "build")


def runs(folder: BuildFolder) -> list[str]:
    return (folder.path / "runs").read_text().split()


def test_the_same_command_again_does_not_run_cmake(source: Path, folder: BuildFolder) -> None:
    for word in ("a", "a", "b", "b", "a"):
        configure(source, folder, {"WORD": word})
    assert runs(folder) == ["a", "b", "a"]
    assert folder.log.exists()


def test_a_user_who_configures_by_hand_is_overridden(source: Path, folder: BuildFolder) -> None:
    configure(source, folder, {"WORD": "a"})
    subprocess.run(["cmake", "-DWORD=z", str(folder.path)], check=True, capture_output=True)
    configure(source, folder, {"WORD": "a"})
    assert runs(folder) == ["a", "z", "a"]


def test_a_failure_is_not_taken_for_a_success(source: Path, folder: BuildFolder) -> None:
    configure(source, folder, {"WORD": "a"})
    for _ in range(2):
        with pytest.raises(BuildFailed, match="not this word"):
            configure(source, folder, {"WORD": "wrong"})
    configure(source, folder, {"WORD": "a"})
    assert runs(folder) == ["a", "wrong", "wrong", "a"]


@pytest.mark.parametrize("name", ["CMakeCache.txt", "build.ninja", "configured.json"])
def test_a_missing_file_is_made_again(source: Path, folder: BuildFolder, name: str) -> None:
    configure(source, folder, {"WORD": "a"})
    (folder.path / name).unlink()
    configure(source, folder, {"WORD": "a"})
    assert runs(folder) == ["a", "a"] and (folder.path / name).exists()


def test_a_damaged_record_is_not_trusted(source: Path, folder: BuildFolder) -> None:
    configure(source, folder, {"WORD": "a"})
    folder.configured.write_text("{")
    configure(source, folder, {"WORD": "a"})
    assert runs(folder) == ["a", "a"]


def test_a_clock_set_back_costs_at_most_one_run(source: Path, folder: BuildFolder) -> None:
    configure(source, folder, {"WORD": "a"})
    os.utime(folder.path / "CMakeCache.txt", (4e9, 4e9))
    configure(source, folder, {"WORD": "a"})
    assert runs(folder) == ["a", "a"]


@pytest.mark.parametrize("seconds", [0, 3600])
def test_what_changed_is_built_also_after_the_clock_was_set_back(
    source: Path, folder: BuildFolder, seconds: float
) -> None:
    def build() -> str:
        configure(source, folder, {"WORD": "a"})
        compile_firmware(folder.path, "copied", {}, folder.log, lambda *_: None)
        return (folder.path / "result").read_text()

    (source / "input").write_text("first")
    assert build() == "first"
    # All that was written so far now has a time in the future.
    for file in filter(Path.is_file, [*source.iterdir(), *folder.path.iterdir()]):
        later = file.stat().st_mtime + seconds
        os.utime(file, (later, later))
    (source / "input").write_text("second")
    (source / "CMakeLists.txt").write_text(PROJECT.replace("empty", "renamed"))
    assert build() == "second"
    assert "renamed" in (folder.path / "CMakeCache.txt").read_text()
