# SPDX-License-Identifier: Apache-2.0
"""A small image, linked by the real tools.

The image has the parts of a real image: copied data, room for a stack, gaps, and a library.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pilotlight.boards import MemoryRegion

_SCRIPT = """\
MEMORY
{
  code (rx) : ORIGIN = 0x10000000, LENGTH = 64K
  data (rw) : ORIGIN = 0x30000000, LENGTH = 32K
}
ENTRY(main)
SECTIONS
{
  .text : { *(.text .text.*) . = ALIGN(32); } > code
  .rodata : ALIGN(32) { *(.rodata .rodata.*) } > code
  .data : ALIGN(32) { *(.data .data.*) } > data AT > code
  .bss (NOLOAD) : ALIGN(8) { *(.bss .bss.* COMMON) } > data AT > data
  .method_pool (NOLOAD) : ALIGN(64) { *(.method_pool) } > data
  .stack (NOLOAD) : ALIGN(32) { . += 1024; } > data
}
"""
_MAIN = """\
extern int scale(int);
int counter = 7;
static char line[100];
const char greeting[] = "one sentence that takes room";
const char* volatile said = "another sentence, which the linker may merge";
int main(void) { line[counter & 31] = greeting[counter & 7]; return scale(counter++) + said[0] + line[3]; }
"""
_LIBRARY = """\
char pool[48] __attribute__((section(".method_pool,\\"aw\\",%nobits@"), aligned(16)));
static int last = 3;
const char* volatile same = "another sentence, which the linker may merge";
char left[10] __attribute__((section(".bss.pair,\\"aw\\",%nobits@")));
int right __attribute__((section(".bss.pair,\\"aw\\",%nobits@")));
int scale(int value) { last = value / 3 + last + pool[1] + same[1]; left[3] = pool[2]; return last + right++; }
int never_called(int value) { return value * 1000; }
"""
_FLAGS = (
    *("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-Os", "-ffunction-sections", "-fdata-sections"),
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-toplevel-reorder"),
)


@dataclass(frozen=True)
class Linked:
    """memory_usage: the bytes that the linker printed for each region."""

    elf: Path
    memory_usage: dict[str, int]
    memory: Mapping[str, MemoryRegion]

    def tool(self, name: str, *arguments: str) -> str:
        """Return the output of a tool of binutils about the image."""
        return _run(f"arm-none-eabi-{name}", *arguments, str(self.elf))


def link(folder: Path) -> Linked:
    """Link the image in `folder`."""
    for name, text in (("app.ld", _SCRIPT), ("main.c", _MAIN), ("method.c", _LIBRARY)):
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("main", "method"):
        _run("arm-none-eabi-gcc", *_FLAGS, "-c", str(folder / f"{name}.c"), "-o", str(folder / f"{name}.o"))
    library = folder / "libpilotlight_executorch.a"
    _run("arm-none-eabi-ar", "rc", str(library), str(folder / "method.o"))
    elf = folder / "app.elf"
    printed = _run(
        *("arm-none-eabi-gcc", *_FLAGS, "-nostdlib", f"-T{folder / 'app.ld'}", str(folder / "main.o"), str(library)),
        *("-Wl,--gc-sections", "-Wl,--print-memory-usage", f"-Wl,-Map={folder / 'app.map'}", "-o", str(elf)),
    )
    usage = {}
    for line in printed.splitlines()[1:]:
        name, _, rest = line.strip().partition(":")
        assert rest.split()[1] == "B", line
        usage[name] = int(rest.split()[0])
    memory = {"code": MemoryRegion(0x1000_0000, 64 << 10), "data": MemoryRegion(0x3000_0000, 32 << 10)}
    return Linked(elf, usage, memory)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
