# SPDX-License-Identifier: Apache-2.0
"""The runtime compiles for Cortex-M55 with warnings as errors, and stays within its budget."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
TOOLCHAIN = ROOT / "cmake" / "toolchain" / "arm-none-eabi.cmake"

# Program, method, registries, one loader, a delegate call. Without verifier, log text, kernels and
# C library.
CORE_BUDGET_BYTES = 16 * 1024
VERIFIER_BUDGET_BYTES = 12 * 1024

_SECTION = re.compile(r"^ (\.text|\.rodata)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+\S*libpilotlight_executorch\.a", re.M)


def _run(*command: str) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout[-4000:]}{result.stderr[-2000:]}"
    return result.stdout


def _build(folder: Path, *options: str) -> Path:
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.fail("arm-none-eabi-g++ is not on PATH")
    fixed = (f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}", f"-DPILOTLIGHT_PYTHON={sys.executable}")
    _run("cmake", "-G", "Ninja", "-S", str(HERE / "footprint"), "-B", str(folder), *fixed, *options)
    _run("ninja", "-j2", "-C", str(folder), "footprint.elf")
    return folder


def _runtime_bytes(build: Path) -> int:
    text = (build / "footprint.map").read_text(encoding="utf-8")
    # The map first lists discarded sections. Only sections after that list are in the image.
    image = text[text.index("Linker script and memory map") :]
    wrapped = re.sub(r"^( \.\S+)\n", r"\1 ", image, flags=re.M)
    sizes = [int(size, 16) for _, size in _SECTION.findall(wrapped)]
    assert len(sizes) > 50, "the map file was not understood"
    return sum(sizes)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(tmp_path_factory.mktemp("footprint"))


def test_core_and_verifier_of_the_runtime_fit_their_budgets(tmp_path: Path) -> None:
    # The build has no messages, because upstream builds its own size test without them.
    quiet = "-DPILOTLIGHT_EXECUTORCH_LOG_LEVEL=Off"
    core = _runtime_bytes(_build(tmp_path / "core", quiet, "-DPILOTLIGHT_EXECUTORCH_VERIFIER=OFF"))
    verified = _runtime_bytes(_build(tmp_path / "verified", quiet))
    assert core <= CORE_BUDGET_BYTES
    assert 4096 < verified - core <= VERIFIER_BUDGET_BYTES


def test_the_runtime_pulls_in_neither_heap_nor_exceptions_nor_printf(build: Path) -> None:
    symbols = _run("arm-none-eabi-nm", str(build / "footprint.elf"))
    names = {line.split()[-1] for line in symbols.splitlines() if line}
    assert "Run" in names
    unwanted = {"malloc", "_malloc_r", "free", "_sbrk", "_Znwj", "_Znaj", "__cxa_throw", "__cxa_guard_acquire"}
    unwanted |= {"printf", "vsnprintf", "snprintf", "_svfprintf_r", "_printf_float"}
    assert names & unwanted == set()


def test_the_runtime_has_no_static_constructors(build: Path) -> None:
    sections = _run(
        "arm-none-eabi-objdump", "-h", str(build / "firmware" / "executorch" / "libpilotlight_executorch.a")
    )
    assert ".init_array" not in sections
    assert ".ctors" not in sections
