# SPDX-License-Identifier: Apache-2.0
"""Images that can only be linked here: the FVP's image, and images that do not fit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from probe_bench import PROBE

from pilotlight.boards import load_board

# Symbols of image.ld.
_REGION_END = re.compile("__(?:code|constants|model|ram|arena)_(?:start|end)|__stack_(?:limit|top)")
# Secure aliases in the memory map of Arm's Corstone-300.
ITCM, DTCM, SRAM, DDR = 0x1000_0000, 0x3000_0000, 0x3100_0000, 0x7000_0000


@pytest.mark.parametrize(("board", "arena"), [("qemu-corstone300", DDR), ("corstone300-fvp", SRAM)])
def test_every_section_lies_where_the_board_says(probe_image: Callable[[str], Path], board: str, arena: int) -> None:
    with probe_image(board).open("rb") as file:
        sections = {s.name: s["sh_addr"] for s in ELFFile(file).iter_sections() if s["sh_addr"]}
    assert sections[".vectors"] == ITCM
    homes = {".text": ITCM, ".data": DTCM, ".bss": DTCM, ".stack": DTCM, ".model": DDR, ".tensor_arena": arena}
    for name, origin in homes.items():
        assert origin <= sections[name] < origin + 0x0100_0000, name


@pytest.mark.parametrize("board", ["qemu-corstone300", "corstone300-fvp"])
def test_memory_regions_begin_and_end_at_the_granule_of_the_board(
    probe_image: Callable[[str], Path], board: str
) -> None:
    with probe_image(board).open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        ends = [(s.name, s["st_value"]) for s in table.iter_symbols() if _REGION_END.fullmatch(s.name)]
    granule = load_board(board).cpu.mpu_granule_bytes
    assert len(ends) == 12
    assert [name for name, address in ends if address % granule] == []


def test_the_vector_table_names_the_npu_interrupt_of_the_fvp(probe_image: Callable[[str], Path]) -> None:
    with probe_image("corstone300-fvp").open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".vectors").data()
        (handler,) = elf.get_section_by_name(".symtab").get_symbol_by_name("pilotlight_npu_interrupt")
    assert int.from_bytes(table[4 * (16 + 56) :][:4], "little") == handler["st_value"]


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
