# SPDX-License-Identifier: Apache-2.0
"""Images that can only be linked here: the FVP's image, and images that do not fit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from probe_bench import PROBE

from pilotlight.boards import load_board

# Symbols of image.ld.
_REGION_END = re.compile("__(?:code|constants|model|ram|arena)_(?:start|end)|__stack_(?:limit|top)")
# Secure aliases in the memory maps of Arm's Corstone-300 and Corstone-320. CODE is the SRAM for
# code of the latter.
ITCM, CODE, DTCM, SRAM, DDR = 0x1000_0000, 0x1200_0000, 0x3000_0000, 0x3100_0000, 0x7000_0000
MIB = 2**20
# (code, data, arena), each as the start and the size of a memory.
HOMES = {
    "qemu-corstone300": ((ITCM, MIB // 2), (DTCM, MIB // 2), (DDR, 256 * MIB)),
    "corstone300-fvp": ((ITCM, MIB // 2), (DTCM, MIB // 2), (SRAM, 2 * MIB)),
    "corstone320-fvp": ((CODE, 2 * MIB), (SRAM, MIB), (SRAM + MIB, 3 * MIB)),
}


@pytest.mark.parametrize("board", HOMES)
def test_every_section_lies_where_the_board_says(probe_image: Callable[[str], Path], board: str) -> None:
    with probe_image(board).open("rb") as file:
        sections = {s.name: (s["sh_addr"], s["sh_size"]) for s in ELFFile(file).iter_sections() if s["sh_addr"]}
    code, data, arena = HOMES[board]
    assert sections[".vectors"][0] == code[0]
    homes = {".text": code, ".data": data, ".bss": data, ".stack": data, ".model": (DDR, 256 * MIB)}
    for name, (origin, size) in {**homes, ".tensor_arena": arena}.items():
        start, length = sections[name]
        assert origin <= start and start + length <= origin + size, name


@pytest.mark.parametrize("board", HOMES)
def test_memory_regions_begin_and_end_at_the_granule_of_the_board(
    probe_image: Callable[[str], Path], board: str
) -> None:
    with probe_image(board).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        ends = [(s.name, s["st_value"]) for s in table.iter_symbols() if _REGION_END.fullmatch(s.name)]
    granule = load_board(board).cpu.mpu_granule_bytes
    assert len(ends) == 12
    assert [name for name, address in ends if address % granule] == []


@pytest.mark.parametrize(("board", "irq"), [("corstone300-fvp", 56), ("corstone320-fvp", 16)])
def test_the_vector_table_names_the_npu_interrupt_of_the_fvp(
    probe_image: Callable[[str], Path], board: str, irq: int
) -> None:
    with probe_image(board).open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".vectors").data()
        (handler,) = elf.get_section_by_name(".symtab").get_symbol_by_name("pilotlight_npu_interrupt")
    assert int.from_bytes(table[4 * (16 + irq) :][:4], "little") == handler["st_value"]


# The compiler of Debian 12 does not know the Cortex-M85. This one does: it stands for GCC 13.
GCC_13 = """#!/bin/sh
for word; do
  shift
  [ "$word" = -mcpu=cortex-m85 ] && word=-mcpu=cortex-m55
  set -- "$@" "$word"
done
exec {real} "$@"
"""


@pytest.mark.parametrize("knows_m85", [False, True])
def test_code_for_the_cortex_m85_is_compiled_for_the_best_core_that_the_compiler_knows(
    tmp_path: Path, knows_m85: bool
) -> None:
    for tool in ("gcc", "g++", "ar", "ranlib", "nm", "objcopy", "objdump", "readelf", "strip", "ld"):
        real = shutil.which(f"arm-none-eabi-{tool}")
        script = tmp_path / "bin" / f"arm-none-eabi-{tool}"
        script.parent.mkdir(exist_ok=True)
        if knows_m85:
            script.write_text(GCC_13.format(real=real), encoding="utf-8")
        else:
            refuse = f'#!/bin/sh\nfor w; do [ "$w" = -mcpu=cortex-m85 ] && exit 1; done\nexec {real} "$@"\n'
            script.write_text(refuse, encoding="utf-8")
        script.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    configure = ["cmake", "-S", str(PROBE), "-B", str(tmp_path / "build"), "-G", "Ninja", "-DBOARD=corstone320-fvp"]
    configure.append("-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    done = subprocess.run(configure, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = json.loads((tmp_path / "build" / "compile_commands.json").read_text(encoding="utf-8"))
    assert len(commands) > 10
    core = "cortex-m85" if knows_m85 else "cortex-m55"
    assert {re.findall(r"-mcpu=(\S+)", command["command"])[-1] for command in commands} == {core}


def test_no_image_holds_an_allocator(probe_image: Callable[[str], Path]) -> None:
    # The probe prints with newlib's snprintf(), which allocates when its buffer is full.
    with probe_image("qemu-corstone300").open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        functions = {s.name for s in table.iter_symbols() if s["st_info"]["type"] == "STT_FUNC"}
    assert "_malloc_r" in functions and not functions & {"_sbrk_r", "_sbrk", "_mallinfo_r", "sbrk"}


@pytest.fixture(scope="module")
def link_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that links the probe with one more source file, given its text."""
    folder = tmp_path_factory.mktemp("more")
    source = folder / "more.cpp"

    def link(text: str) -> subprocess.CompletedProcess[str]:
        source.write_text(text, encoding="utf-8")
        configure = ["cmake", "-S", str(PROBE), "-B", str(folder / "build"), "-G", "Ninja", "-DBOARD=qemu-corstone300"]
        subprocess.run([*configure, f"-DPROBE_MORE_SOURCES={source}"], check=True, capture_output=True)
        build = ["cmake", "--build", str(folder / "build")]
        return subprocess.run(build, capture_output=True, text=True, check=False)

    return link


KEPT = "void* volatile got;\n[[gnu::used]] void Ask() {{ {call}; }}\n"


@pytest.mark.parametrize("call", ["mallinfo()", "malloc_stats()", "mallopt(1, 2)", "sbrk(16)"])
def test_what_brings_the_librarys_allocator_is_refused_by_the_linker_with_who_asked(
    link_with: Callable[[str], subprocess.CompletedProcess[str]], call: str
) -> None:
    done = link_with('#include <malloc.h>\nextern "C" void* sbrk(int);\n' + KEPT.format(call=call))
    assert done.returncode != 0
    assert "the C library's allocator is in the image: nothing may allocate" in done.stdout
    assert f"more.cpp.obj: reference to {call.partition('(')[0]}\n" in done.stdout


@pytest.mark.parametrize("call", ["got = std::malloc(3)", "got = new int", 'std::printf("%d", 1)', "std::free(got)"])
def test_what_may_allocate_is_linked_with_the_traps_and_no_allocator(
    link_with: Callable[[str], subprocess.CompletedProcess[str]], call: str
) -> None:
    # The C library's own text output may allocate, so its callers cannot all be refused.
    done = link_with("#include <cstdio>\n#include <cstdlib>\n" + KEPT.format(call=call))
    assert done.returncode == 0, done.stdout
    assert "reference to" not in done.stdout


def test_an_image_too_big_names_region_and_bytes_over(tmp_path: Path) -> None:
    board = tmp_path / "small"
    board.mkdir()
    text = (PROBE.parents[2] / "boards/corstone300-fvp/board.toml").read_text(encoding="utf-8")
    text = text.replace('name = "corstone300-fvp"', 'name = "small"')
    text = text.replace("origin = 0x3100_0000\nsize = 0x0020_0000", "origin = 0x3100_0000\nsize = 0x400")
    (board / "board.toml").write_text(text, encoding="utf-8")
    build = tmp_path / "build"
    subprocess.run(
        ["cmake", "-S", str(PROBE), "-B", str(build), "-G", "Ninja", f"-DBOARD={board}"],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(["ninja", "-C", str(build)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "region `sram' overflowed by 3072 bytes" in done.stdout
