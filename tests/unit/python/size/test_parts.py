# SPDX-License-Identifier: Apache-2.0
"""Every byte of a linked image has an owner, and the linker, `size` and `nm` count the same."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from small_image import Linked

from pilotlight.elf import Image
from pilotlight.errors import ConfigError
from pilotlight.size.components import PADDING
from pilotlight.size.parts import find_map, parts_of, region_use
from pilotlight.size.record import FLASH, RAM, Part


@pytest.fixture(scope="module")
def parts(linked: Linked) -> tuple[Part, ...]:
    return parts_of(Image.load(linked.elf, for_arm=True), find_map(linked.elf), linked.memory)


def test_regions_are_as_full_as_the_linker_says(linked: Linked, parts: tuple[Part, ...]) -> None:
    regions = region_use(Image.load(linked.elf, for_arm=True), linked.memory)
    assert {use.name: use.used_bytes for use in regions} == linked.memory_usage
    by_region: Counter[str] = Counter()
    for part in parts:
        by_region[part.region] += part.size_bytes
    assert by_region == linked.memory_usage


def test_parts_of_a_section_add_up_to_its_size(linked: Linked, parts: tuple[Part, ...]) -> None:
    rows = (line.split() for line in linked.tool("size", "-A").splitlines())
    sizes = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".") and row[2] != "0"}
    assert {".text", ".rodata", ".data", ".bss", ".method_pool", ".stack"} == sizes.keys()
    counted: Counter[str] = Counter()
    for part in parts:
        between = part.component == PADDING and not part.file and part in _before_sections(parts)
        if not between and not (part.section == ".data" and part.memory == FLASH):
            counted[part.section] += part.size_bytes
    assert counted == sizes


def _before_sections(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The gaps between sections come last."""
    last_of_a_section = max(index for index, part in enumerate(parts) if part.component != PADDING)
    return parts[last_of_a_section + 1 :]


def test_functions_and_variables_have_the_size_that_nm_gives(linked: Linked, parts: tuple[Part, ...]) -> None:
    rows = (line.split() for line in linked.tool("nm", "-S").splitlines())
    symbols = {row[3]: int(row[1], 16) for row in rows if len(row) == 4}
    named = {part.symbol: part.size_bytes for part in parts if part.symbol and part.memory == FLASH}
    assert {"main", "scale", "same", "said", "greeting", "counter", "last"} <= named.keys()
    assert {name: symbols[name] for name in named} == named
    assert next(part.size_bytes for part in parts if part.symbol == "pool") == symbols["pool"] == 48


def test_variables_in_one_section_are_told_apart_and_what_lies_between_them_is_nobodys(parts: tuple[Part, ...]) -> None:
    pair = [(part.symbol, part.size_bytes) for part in parts if part.section == ".bss" and part.file == "method"]
    at = pair.index(("left", 10))
    assert pair[at : at + 3] == [("left", 10), ("", 2), ("right", 4)]


def test_data_that_start_up_copies_count_in_flash_and_in_ram(linked: Linked, parts: tuple[Part, ...]) -> None:
    counter = [part for part in parts if part.symbol == "counter"]
    assert [(part.region, part.memory, part.size_bytes) for part in counter] == [("code", FLASH, 4), ("data", RAM, 4)]


def test_what_was_dropped_does_not_count(parts: tuple[Part, ...]) -> None:
    assert not any(part.symbol == "never_called" for part in parts)


def test_room_that_the_linker_script_keeps_has_its_sections_name(parts: tuple[Part, ...]) -> None:
    (room,) = (part for part in parts if part.size_bytes == 1024)
    assert (room.section, room.component, room.memory) == (".stack", "stack", RAM)


def test_objects_of_our_libraries_are_told_from_the_apps(parts: tuple[Part, ...]) -> None:
    owners = {part.symbol: part.component for part in parts if part.symbol}
    assert owners["scale"] == "runtime core"
    assert owners["main"] == "app"


def test_an_image_without_a_map_says_which_file_is_missing(linked: Linked, tmp_path: Path) -> None:
    elf = shutil.copy(linked.elf, tmp_path / "lonely.elf")
    with pytest.raises(ConfigError, match=r"neither lonely\.map nor lonely\.elf\.map is beside it"):
        find_map(elf)


def test_a_stripped_image_says_so(linked: Linked, tmp_path: Path) -> None:
    elf = tmp_path / "stripped.elf"
    linked.tool("strip", "-o", str(elf))
    with pytest.raises(ConfigError, match="stripped of its symbols"):
        parts_of(Image.load(elf, for_arm=True), find_map(linked.elf), linked.memory)


def test_the_map_of_another_link_is_not_believed(linked: Linked, tmp_path: Path) -> None:
    other = tmp_path / "app.map"
    text = find_map(linked.elf).read_text(encoding="utf-8")
    changed, times = re.subn(r"^(\.bss +0x\w+ +)0x\w+", r"\g<1>0x4", text, flags=re.MULTILINE)
    assert times == 1
    other.write_text(changed, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"app\.map is not the map of .*app\.elf: \.bss has 4 bytes"):
        parts_of(Image.load(linked.elf, for_arm=True), other, linked.memory)
