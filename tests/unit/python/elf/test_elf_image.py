# SPDX-License-Identifier: Apache-2.0
"""The reader and binutils find the same in a small image; a file that cannot be read is named."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pilotlight.elf import Image, demangle
from pilotlight.errors import ConfigError

SOURCE = """\
int counter = 7;
int pool[12];
static int cube(int value) { return value * value * value; }
__attribute__((noinline)) int leaf(int value) { return cube(value) + counter; }
__attribute__((noinline)) int middle(int value) { return leaf(value) - leaf(value + 1); }
int dropped(int value) { return value * 1000; }
int main(void) { return middle(counter) + pool[3]; }
const char greeting[] = "hello";
"""
# Without size and call frame table.
ASSEMBLY = """\
    .syntax unified
    .section .text.bare, "ax"
    .thumb_func
    .global bare
bare:
    bx lr
"""
SCRIPT = """\
ENTRY(main)
MEMORY
{
  code (rx) : ORIGIN = 0x10000000, LENGTH = 64K
  data (rw) : ORIGIN = 0x30000000, LENGTH = 64K
}
SECTIONS
{
  .text : { *(.text .text.*) KEEP(*(.text.bare)) } > code
  .rodata : { KEEP(*(.rodata .rodata.*)) } > code
  .data : { *(.data .data.*) } > data AT > code
  .bss (NOLOAD) : { *(.bss .bss.*) } > data
  __code_end = ORIGIN(code) + LENGTH(code);
}
"""
FLAGS = ("-mcpu=cortex-m55", "-mthumb", "-O1", "-ffunction-sections", "-fdata-sections", "-nostdlib")


def link(folder: Path, *flags: str) -> Path:
    for name, text in (("app.c", SOURCE), ("bare.S", ASSEMBLY), ("app.ld", SCRIPT)):
        (folder / name).write_text(text, encoding="utf-8")
    sources = ("app.c", "bare.S", "-Tapp.ld", "-Wl,--gc-sections", "-o", "app.elf")
    subprocess.run(["arm-none-eabi-gcc", *FLAGS, *flags, *sources], cwd=folder, check=True, capture_output=True)
    return folder / "app.elf"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link(tmp_path_factory.mktemp("elf"), "-g")


@pytest.fixture(scope="module")
def image(elf: Path) -> Image:
    return Image.load(elf, for_arm=True)


def tool(name: str, *arguments: str | Path) -> str:
    command = [f"arm-none-eabi-{name}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def address_of(image: Image, name: str) -> int:
    symbol = image.symbol(name)
    assert symbol is not None
    return symbol.address


def test_sections_are_those_that_take_memory(image: Image, elf: Path) -> None:
    listed = [line.split() for line in tool("objdump", "-h", elf).splitlines() if " ." in line]
    expected = {row[1]: (int(row[3], 16), int(row[2], 16)) for row in listed if not row[1].startswith((".debug", ".c"))}
    del expected[".ARM.attributes"]
    assert {section.name: (section.address, section.size_bytes) for section in image.sections} == expected
    assert [section.name for section in image.sections if section.is_code] == [".text"]


def test_a_section_says_where_it_is_loaded_and_what_it_holds(image: Image, elf: Path, tmp_path: Path) -> None:
    tool("objcopy", "-O", "binary", "-j", ".data", elf, tmp_path / "data.bin")
    data, bss = image.section(".data"), image.section(".bss")
    assert data is not None and bss is not None
    (row,) = (line.split() for line in tool("objdump", "-h", elf).splitlines() if " .data " in line)
    assert data.load_address == int(row[4], 16) != data.address
    assert bytes(data.content) == (tmp_path / "data.bin").read_bytes() == (7).to_bytes(4, "little")
    assert image.file[data.file_offset :][: data.size_bytes] == data.content
    assert bss.load_address is None and not bss.content and bss.size_bytes == 48


def test_symbols_are_those_of_nm(image: Image, elf: Path) -> None:
    listed = {row[2]: int(row[0], 16) for row in (line.split() for line in tool("nm", elf).splitlines())}
    assert {name: address_of(image, name) for name in listed} == listed
    kinds = {name: image.symbol(name) for name in ("leaf", "pool", "__code_end")}
    assert [(name, symbol.is_function, symbol.is_object) for name, symbol in kinds.items() if symbol] == [
        ("leaf", True, False),
        ("pool", False, True),
        ("__code_end", False, False),
    ]
    assert image.symbol("dropped") is None


def test_bytes_are_read_only_where_the_file_has_all_of_them(image: Image) -> None:
    greeting = address_of(image, "greeting")
    assert image.read(greeting, 6) == b"hello\0"
    rodata = image.section_at(greeting)
    assert rodata is not None and rodata.name == ".rodata"
    end = rodata.address + rodata.size_bytes
    assert image.read(end - 1, 1) == b"\0" and image.read(end - 1, 2) is None
    assert image.read(address_of(image, "pool"), 4) is None
    assert image.read(0, 1) is None


def test_code_is_told_from_data_with_or_without_the_thumb_bit(image: Image) -> None:
    leaf = address_of(image, "leaf")
    assert image.is_code(leaf) and image.is_code(leaf | 1)
    assert not image.is_code(address_of(image, "greeting")) and not image.is_code(0x2000_0000)


def test_each_address_has_the_function_and_line_that_addr2line_gives(image: Image, elf: Path) -> None:
    text = image.section(".text")
    assert text is not None
    addresses = [at for at in range(text.address, text.address + text.size_bytes, 2) if image.function_at(at)]
    found = [(image.function_at(at), image.line_at(at)) for at in addresses]
    printed = tool("addr2line", "-fe", elf, *map(hex, addresses)).splitlines()
    lines = ["" if "?" in line else line.partition(" (")[0].rpartition("/")[2] for line in printed[1::2]]
    assert [line for _, line in found] == lines
    assert {function.name for function, _ in found if function} == {"leaf", "middle", "main", "bare"}
    assert image.function_at(text.address - 2) is None and image.line_at(text.address - 2) == ""


def test_a_function_of_unknown_size_has_one_instruction(image: Image) -> None:
    bare = address_of(image, "bare")
    function = image.function_at(bare)
    assert function is not None and (function.name, function.size_bytes) == ("bare", 2)
    assert image.unwinding_at(bare) is None


def test_unwinding_says_where_the_return_address_is_saved(image: Image) -> None:
    middle = address_of(image, "middle")
    function = image.function_at(middle)
    assert function is not None
    entry, inside = image.unwinding_at(middle), image.unwinding_at(middle + function.size_bytes - 2)
    assert entry is not None and inside is not None
    # At the entry, the CFA is the stack pointer (register 13), and lr (14) is not saved yet.
    assert (entry.cfa_register, entry.cfa_offset, entry.saved) == (13, 0, {})
    # push {..., lr} saves lr in the highest word, directly below the CFA.
    assert inside.cfa_register == 13 and inside.cfa_offset == 4 * len(inside.saved) and inside.saved[14] == -4


def test_an_image_without_debug_information_has_functions_but_no_lines(tmp_path: Path) -> None:
    plain = Image.load(link(tmp_path), for_arm=True)
    leaf = address_of(plain, "leaf")
    assert plain.function_at(leaf) is not None
    assert plain.line_at(leaf) == ""


def test_lines_are_found_without_the_list_of_addresses_too(image: Image, elf: Path, tmp_path: Path) -> None:
    tool("objcopy", "--remove-section", ".debug_aranges", elf, tmp_path / "app.elf")
    other = Image.load(tmp_path / "app.elf", for_arm=True)
    for name in ("leaf", "middle", "main"):
        at = address_of(image, name)
        assert other.line_at(at) == image.line_at(at) != ""


def test_a_stripped_image_has_no_symbols(elf: Path, tmp_path: Path) -> None:
    tool("strip", "-o", tmp_path / "stripped.elf", elf)
    stripped = Image.load(tmp_path / "stripped.elf", for_arm=True)
    assert stripped.symbols == () and stripped.symbol("leaf") is None
    assert stripped.function_at(0x1000_0000) is None and stripped.section(".text") is not None


def test_a_global_symbol_is_found_before_a_local_one_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("static int twice = 1; int* local(void) { return &twice; }", encoding="utf-8")
    (tmp_path / "b.c").write_text("int twice = 2;", encoding="utf-8")
    command = ["arm-none-eabi-gcc", *FLAGS, "a.c", "b.c", "-Wl,-elocal", "-o", "app.elf"]
    subprocess.run(command, cwd=tmp_path, check=True)
    image = Image.load(tmp_path / "app.elf", for_arm=True)
    assert image.read(address_of(image, "twice"), 4) == (2).to_bytes(4, "little")


def test_an_image_of_the_host_is_read_unless_it_must_be_for_arm(tmp_path: Path) -> None:
    (tmp_path / "app.c").write_text("int value = 5; int main(void) { return value; }", encoding="utf-8")
    subprocess.run(["cc", "app.c", "-o", "app"], cwd=tmp_path, check=True)
    image = Image.load(tmp_path / "app", for_arm=False)
    assert image.pointer_bytes == 8
    assert image.read(address_of(image, "value"), 4) == (5).to_bytes(4, "little")
    with pytest.raises(ConfigError, match=r"app: an ELF file for (x64|AArch64), not for Arm") as caught:
        Image.load(tmp_path / "app", for_arm=True)
    assert "west build -b BOARD" in caught.value.hint


def test_a_big_endian_file_is_refused(elf: Path, tmp_path: Path) -> None:
    flags = ("-mcpu=cortex-m4", "-mthumb", "-mbig-endian", "-nostdlib", "-c")
    (tmp_path / "a.c").write_text("int value = 5;", encoding="utf-8")
    subprocess.run(["arm-none-eabi-gcc", *flags, "a.c", "-o", "a.o"], cwd=tmp_path, check=True)
    for for_arm in (True, False):
        with pytest.raises(ConfigError, match=r"a\.o: an ELF file for ARM, big-endian, not for"):
            Image.load(tmp_path / "a.o", for_arm=for_arm)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fEL"])
def test_a_file_that_is_no_elf_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "app.elf").write_bytes(content)
    with pytest.raises(ConfigError, match=r"app\.elf: not an ELF file") as caught:
        Image.load(tmp_path / "app.elf", for_arm=True)
    assert "west build" in caught.value.hint


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.elf does not exist") as caught:
        Image.load(tmp_path / "missing.elf", for_arm=True)
    assert "west build" in caught.value.hint and caught.value.exit_code == 20
    with pytest.raises(ConfigError, match="Is a directory"):
        Image.load(tmp_path, for_arm=True)


def test_a_file_cut_off_anywhere_is_refused_when_it_is_loaded(elf: Path, tmp_path: Path) -> None:
    content = elf.read_bytes()
    for length in [*range(4, 60), *range(60, len(content), 61), len(content) - 1]:
        (tmp_path / "app.elf").write_bytes(content[:length])
        with pytest.raises(ConfigError, match=r"truncated|damaged"):
            Image.load(tmp_path / "app.elf", for_arm=True)
    message = rf"truncated: the file has {len(content) - 1:,} bytes, and its headers describe {len(content):,}"
    with pytest.raises(ConfigError, match=message):
        Image.load(tmp_path / "app.elf", for_arm=True)


def corrupted(elf: Path, folder: Path, section: str, change: Callable[[bytes], bytes]) -> Image:
    tool("objcopy", "-O", "binary", "--dump-section", f"{section}={folder / 'part'}", elf, folder / "unused")
    (folder / "part").write_bytes(change((folder / "part").read_bytes()))
    tool("objcopy", "--update-section", f"{section}={folder / 'part'}", elf, folder / "app.elf")
    return Image.load(folder / "app.elf", for_arm=True)


@pytest.mark.parametrize("section", [".debug_info", ".debug_abbrev", ".debug_line", ".debug_aranges"])
def test_damaged_debug_information_is_named_when_a_line_is_looked_up(elf: Path, tmp_path: Path, section: str) -> None:
    image = corrupted(elf, tmp_path, section, lambda content: b"\x5a" * len(content))
    leaf = address_of(image, "leaf")
    assert image.function_at(leaf) is not None, "only the damaged part is unusable"
    with pytest.raises(ConfigError, match=r"app\.elf: damaged ELF file") as caught:
        image.line_at(leaf)
    assert "west build" in caught.value.hint


def test_a_file_that_a_build_replaces_does_not_change_under_its_reader(elf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "app.elf"
    copy.write_bytes(elf.read_bytes())
    image = Image.load(copy, for_arm=True)
    copy.write_bytes(b"a new build begins")
    assert image.read(address_of(image, "greeting"), 6) == b"hello\0"


def test_names_are_demangled() -> None:
    assert demangle(["_ZN10pilotlight5FloorEi", "main"]) == ["pilotlight::Floor(int)", "main"]
    assert demangle([]) == []


def test_names_stay_mangled_without_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert demangle(["_ZN10pilotlight5FloorEi"]) == ["_ZN10pilotlight5FloorEi"]
