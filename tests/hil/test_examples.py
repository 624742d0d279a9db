# SPDX-License-Identifier: Apache-2.0
"""The example app, which has its own start-up, builds in each supported way.

It computes what TOSA computes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import serial
from door_panel import answer

from pilotlight.paths import ROOT
from pilotlight.targets import connect, power_off

EXAMPLE = ROOT / "firmware" / "examples" / "bare_metal"
MARK = "Pilotlight"
MOST_LINES = 19
TOOLCHAIN = ROOT / "cmake" / "toolchain" / "arm-none-eabi.cmake"


def _run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert result.returncode == 0, f"{command}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def _west(*arguments: str | Path, cwd: Path = ROOT) -> str:
    return _run(sys.executable, "-m", "west", *arguments, cwd=cwd).stdout


def _configure_and_build(source: Path, build: Path, *definitions: str) -> None:
    _run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DPILOTLIGHT_PYTHON={sys.executable}", *definitions)
    _run("cmake", "--build", build)


def test_the_model_came_into_the_app_in_under_twenty_lines() -> None:
    sources = [path for path in EXAMPLE.iterdir() if path.suffix != ".md"]
    marked = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines() if _is_marked(line)]
    assert 10 < len(marked) <= MOST_LINES


def _is_marked(line: str) -> bool:
    return line.rstrip().endswith((f"/* {MARK} */", f"# {MARK}"))


def test_every_line_that_names_pilotlight_is_marked() -> None:
    for path in EXAMPLE.iterdir():
        if path.suffix == ".md":
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        unmarked = [line for line in lines if re.search(r"pilotlight_|PILOTLIGHT_", line) and not _is_marked(line)]
        assert not unmarked, path


def test_west_builds_it_and_the_board_answers_what_tosa_computed(tmp_path: Path) -> None:
    build = tmp_path / "build"
    said = _west("build", "-d", build, "-b", "qemu-corstone300", "-s", EXAMPLE)
    assert "digits for ethos-u55-128" in said and "against FP32: SQNR" in said
    said = _west("build", "-d", build)
    assert "up to date export of digits" in said and "against FP32" not in said
    _has_no_heap_and_no_constructors(build / "door_panel")
    _west("flash", "-d", build)
    try:
        for command, code, said in (
            ("check", 20, "the app of this image does not speak the check protocol"),
            ("fault", 0, "does not speak the check protocol, so it was not asked"),
        ):
            west = [sys.executable, "-m", "west", command, "-d", str(build)]
            done = subprocess.run(west, cwd=ROOT, check=False, capture_output=True, text=True)
            assert (done.returncode, said in done.stderr) == (code, True), done.stdout + done.stderr
        golden = np.load(build / "bundles" / "digits" / "golden.npz")
        with serial.serial_for_url(connect(build)) as port:
            port.write(b"knock\n")
            assert answer(port) == "who is there?"
            for image, scores in zip(golden["input_0"][:30], golden["golden_0"][:30], strict=True):
                port.write(b"digit " + image.tobytes().hex().encode() + b"\n")
                label, _, rest = answer(port).partition(": ")
                assert [int(score) for score in rest.split()] == scores.ravel().tolist()
                assert label == str(scores.argmax())
            port.write(b"digit 00\n")
            assert "64 bytes" in answer(port)
    finally:
        power_off(build)


def _has_no_heap_and_no_constructors(elf: Path) -> None:
    symbols = _run("arm-none-eabi-nm", elf).stdout
    names = {line.split()[-1] for line in symbols.splitlines()}
    assert not names & {"malloc", "_malloc_r", "_sbrk", "printf", "_printf_r"}
    assert not [name for name in names if name.startswith("_GLOBAL__sub_I")]
    assert "init_array" not in _run("arm-none-eabi-readelf", "-S", elf).stdout


def test_an_installed_package_is_found_and_is_all_that_is_needed(tmp_path: Path) -> None:
    prefix, build = tmp_path / "prefix", tmp_path / "build"
    _run("cmake", "-G", "Ninja", "-S", ROOT, "-B", tmp_path / "configured", "-DAPP=", "-DBOARD=host")
    _run("cmake", "--install", tmp_path / "configured", "--prefix", prefix)
    app = shutil.copytree(EXAMPLE, tmp_path / "app")
    toolchain = prefix / "share" / "pilotlight" / "cmake" / "toolchain" / "arm-none-eabi.cmake"
    _configure_and_build(app, build, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}")
    _has_no_heap_and_no_constructors(build / "door_panel")
    rules = (build / "build.ninja").read_text(encoding="utf-8")
    assert str(ROOT / "firmware") not in rules


# Names and options that another project may also use, and warnings as errors that our sources do
# not pass.
STRICT_PARENT = """
set(BOARD "rev-b")
set(APP "panel")
add_compile_options(-Wpadded -Wundef -Wredundant-decls -Werror)
enable_testing()
"""
AT_THE_END = """
install(TARGETS door_panel)
if(NOT "${BOARD} ${APP} ${CMAKE_BUILD_TYPE}" STREQUAL "rev-b panel ")
  message(FATAL_ERROR "now ${BOARD} ${APP} ${CMAKE_BUILD_TYPE}")
endif()
"""


@pytest.mark.campaign
@pytest.mark.parametrize("way", ["add_subdirectory", "FetchContent"])
def test_as_a_part_of_somebody_elses_tree_it_disturbs_nothing(tmp_path: Path, upstream: str, way: str) -> None:
    app, build = shutil.copytree(EXAMPLE, tmp_path / "app"), tmp_path / "build"
    part = {
        "add_subdirectory": f"add_subdirectory({ROOT} pilotlight)",
        "FetchContent": "include(FetchContent)\n"
        f"FetchContent_Declare(pilotlight GIT_REPOSITORY {upstream} GIT_TAG main)\n"
        "FetchContent_MakeAvailable(pilotlight)",
    }[way]
    (app / "other.c").write_text('#include "pilotlight/pilotlight.h"\n', encoding="utf-8")
    lists = app / "CMakeLists.txt"
    text = (
        lists.read_text(encoding="utf-8").replace("VERSION 3.28", "VERSION 3.16").replace("uart.c)", "uart.c other.c)")
    )
    text = text.replace("find_package(Pilotlight REQUIRED)", f"{STRICT_PARENT}{part}")
    lists.write_text(text + AT_THE_END, encoding="utf-8")

    _west("build", "-d", build, "-b", "qemu-corstone300", "-s", app)

    _has_no_heap_and_no_constructors(build / "door_panel")
    _west("flash", "-d", build)
    try:
        golden = np.load(build / "bundles" / "digits" / "golden.npz")
        with serial.serial_for_url(connect(build)) as port:
            port.write(b"digit " + golden["input_0"][0].tobytes().hex().encode() + b"\n")
            scores = answer(port).partition(": ")[2].split()
            assert [int(score) for score in scores] == golden["golden_0"][0].ravel().tolist()
    finally:
        power_off(build)
    assert "Total Tests: 0" in _run("ctest", "-N", cwd=build).stdout
    _run("cmake", "--install", build, "--prefix", tmp_path / "prefix")
    assert [path.name for path in (tmp_path / "prefix").rglob("*") if path.is_file()] == ["door_panel"]
    # Serial protocol, start-up and check app are not needed here, and are not built.
    built = {path.name for path in build.rglob("*.a")}
    assert built == {f"libpilotlight_{name}.a" for name in ("base", "port", "executorch", "ethos_u", "model")}


def test_an_app_for_the_wrong_compiler_is_told_what_to_do(tmp_path: Path) -> None:
    command = ["cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", tmp_path / "build", f"-DPilotlight_DIR={ROOT / 'cmake'}"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode != 0
    assert "cmake/toolchain/arm-none-eabi.cmake" in " ".join(result.stderr.split())
