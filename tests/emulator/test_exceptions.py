# SPDX-License-Identifier: Apache-2.0
"""An app may use C++ exceptions.

The linker scripts keep the tables that the unwinder searches, and nothing else in that section.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pilotlight.paths import ROOT

sys.path.insert(0, str(ROOT / "tests"))

import bounded

EXAMPLE = ROOT / "firmware" / "examples" / "bare_metal"
# Prints the caught exception through semihosting, and ends the emulator.
THROWS = """\
#include <cstdint>

static void Semihosting(std::uint32_t operation, const void* argument) {
  register std::uint32_t r0 __asm("r0") = operation;
  register const void* r1 __asm("r1") = argument;
  __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static int destroyed;
struct Kept {
  ~Kept() { ++destroyed; }
};

__attribute__((noinline)) static void Throw(int depth) {
  const Kept kept;
  if (depth == 0) throw "caught, destroyed";
  Throw(depth - 1);
}

// Otherwise of the compiler's start files.
extern "C" void* __dso_handle;
void* __dso_handle = nullptr;
extern "C" void pilotlight_timer_interrupt(void) {}
extern "C" void pilotlight_npu_interrupt(void) {}

int main() {
  try {
    Throw(5);
  } catch (const char* text) {
    if (destroyed == 6) Semihosting(4, text);
  }
  const std::uint32_t ended[] = {0x20026, 0};
  Semihosting(0x20, ended);
}
"""
MACHINE = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-Os"]


@pytest.fixture
def throwing_app(tmp_path: Path) -> Path:
    (tmp_path / "throws.cpp").write_text(THROWS, encoding="utf-8")
    (tmp_path / "pilotlight").mkdir()
    vectors = "#define PILOTLIGHT_TIMER_VECTOR 3\n#define PILOTLIGHT_NPU_VECTOR 4\n"
    handlers = "void pilotlight_timer_interrupt(void);\nvoid pilotlight_npu_interrupt(void);\n"
    (tmp_path / "pilotlight" / "interrupts.h").write_text(vectors + handlers, encoding="utf-8")
    elf = tmp_path / "throws.elf"
    c = ["arm-none-eabi-gcc", *MACHINE, f"-I{tmp_path}", "-c", str(EXAMPLE / "startup.c"), "-o", str(tmp_path / "s.o")]
    link = ["-nostartfiles", "-Wl,--gc-sections", "-specs=nosys.specs", f"-T{EXAMPLE / 'app.ld'}", "-o", str(elf)]
    cpp = ["arm-none-eabi-g++", *MACHINE, "-fexceptions", str(tmp_path / "throws.cpp"), str(tmp_path / "s.o"), *link]
    for command in (c, cpp):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return elf


def test_an_exception_is_caught_on_the_emulated_board(throwing_app: Path) -> None:
    machine = ["qemu-system-arm", "-M", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "none"]
    semihosting = ["-semihosting-config", "enable=on,target=native", "-kernel", str(throwing_app)]
    done = bounded.run([*machine, *semihosting], 60, capture_output=True, text=True)
    assert done.stderr == "caught, destroyed"
    assert done.returncode == 0


@pytest.mark.parametrize("board", ["qemu-corstone300", "corstone300-fvp"])
def test_the_index_of_the_unwinder_is_all_that_lies_between_its_symbols(
    probe_image: Callable[[str], Path], board: str
) -> None:
    _assert_index(probe_image(board))


def test_the_examples_index_is_whole(throwing_app: Path) -> None:
    _assert_index(throwing_app)


def _assert_index(path: Path) -> None:
    with path.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        start, end = (table.get_symbol_by_name(f"__exidx_{which}")[0]["st_value"] for which in ("start", "end"))
        index = elf.get_section_by_name(".ARM.exidx")
        content = index.data()
    assert (index["sh_addr"], index["sh_size"]) == (start, end - start)
    words = [int.from_bytes(content[at : at + 4], "little") for at in range(0, end - start, 8)]
    functions = [(start + 8 * number + _offset(word)) & 0xFFFF_FFFF for number, word in enumerate(words)]
    assert functions == sorted(functions), "the unwinder searches by halving"


def _offset(word: int) -> int:
    """Return the signed 31-bit offset at the beginning of an entry."""
    assert word < 0x8000_0000
    return word - 0x8000_0000 if word & 0x4000_0000 else word
