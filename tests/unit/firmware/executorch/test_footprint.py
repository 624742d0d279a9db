# SPDX-License-Identifier: Apache-2.0
"""The runtime compiles for Cortex-M55 with every warning an error, and stays within its budget."""

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

# Program, method, registries, one loader, delegate call, verifier and log text; no kernels, no C library.
CORE_BUDGET_BYTES = 24 * 1024

_SECTION = re.compile(r"^ (\.text|\.rodata)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+\S*libpilotlight_executorch\.a", re.M)


def _run(*command: str) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout[-4000:]}{result.stderr[-2000:]}"
    return result.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.fail("arm-none-eabi-g++ is not on PATH")
    folder = tmp_path_factory.mktemp("footprint")
    python = f"-DPILOTLIGHT_PYTHON={sys.executable}"
    _run(
        "cmake",
        "-G",
        "Ninja",
        "-S",
        str(HERE / "footprint"),
        "-B",
        str(folder),
        f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
        python,
    )
    _run("ninja", "-j2", "-C", str(folder))
    return folder


def test_the_core_of_the_runtime_with_its_verifier_fits_its_budget(build: Path) -> None:
    text = (build / "footprint.map").read_text(encoding="utf-8")
    # The map first lists what was dropped; only what follows is in the image.
    image = text[text.index("Linker script and memory map") :]
    wrapped = re.sub(r"^( \.\S+)\n", r"\1 ", image, flags=re.M)
    sizes = [int(size, 16) for _, size in _SECTION.findall(wrapped)]
    assert len(sizes) > 50, "the map file was not understood"
    assert sum(sizes) <= CORE_BUDGET_BYTES


def test_the_runtime_pulls_in_neither_heap_nor_exceptions_nor_printf(build: Path) -> None:
    symbols = _run("arm-none-eabi-nm", str(build / "footprint.elf"))
    names = {line.split()[-1] for line in symbols.splitlines() if line}
    assert "Run" in names
    unwanted = {"malloc", "_malloc_r", "free", "_sbrk", "_Znwj", "_Znaj", "__cxa_throw", "__cxa_guard_acquire"}
    unwanted |= {"printf", "vsnprintf", "snprintf", "_svfprintf_r", "_printf_float"}
    assert names & unwanted == set()


def test_the_runtime_has_no_static_constructors(build: Path) -> None:
    sections = _run("arm-none-eabi-objdump", "-h", str(build / "executorch" / "libpilotlight_executorch.a"))
    assert ".init_array" not in sections
    assert ".ctors" not in sections
