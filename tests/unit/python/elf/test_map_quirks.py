# SPDX-License-Identifier: Apache-2.0
"""The map's quirks, on a hand-made map.

The quirks are gaps, merged strings that overlap, and names that are too long for their line.
"""

from __future__ import annotations

from pilotlight.elf.linker_map import OutputSection, parse_map

MAP = """\
Discarded input sections

 .text.dropped  0x00000000      0x400 a.o

Linker script and memory map

LOAD a.o
.text           0x10000000       0x40
 *(.text .text.*)
 .text.main     0x10000000       0x10 a.o
                0x10000000                main
 *fill*         0x10000010        0x8
 .text._ZN10a_long_name7executeEv
                0x10000018       0x14 lib.a(b.o)
 .text          0x1000002c        0x0 c.o

.rodata         0x10000040       0x30
 .rodata.str1.1
                0x10000040       0x18 a.o
                                 0x20 (size before relaxing)
 .rodata.str1.1
                0x10000050       0x10 b.o
 .rodata.table  0x10000048        0x4 c.o

.note.gnu.build-id
                0x10000070       0x24
 .note.gnu.build-id
                0x10000070       0x24 crt.o

.stack          0x30000000      0x400
                0x30000400                . = (. + 0x400)
"""


def pieces(section: OutputSection) -> list[tuple[str, int, int]]:
    return [(piece.path, piece.address - section.address, piece.size) for piece in section.pieces()]


def test_what_lies_between_objects_and_at_the_end_is_a_gap() -> None:
    text = parse_map(MAP)[".text"]
    assert pieces(text) == [("a.o", 0, 0x10), ("", 0x10, 8), ("lib.a(b.o)", 0x18, 0x14), ("", 0x2C, 0x14)]


def test_overlapping_pieces_count_once() -> None:
    constants = parse_map(MAP)[".rodata"]
    assert pieces(constants) == [
        ("a.o", 0, 8),
        ("c.o", 8, 4),
        ("", 0xC, 4),
        ("b.o", 0x10, 0x10),
        ("", 0x20, 0x10),
    ]


def test_sections_with_a_line_of_their_own_for_the_name_and_sections_without_objects_are_read() -> None:
    sections = parse_map(MAP)
    assert sections.keys() == {".text", ".rodata", ".note.gnu.build-id", ".stack"}
    assert pieces(sections[".note.gnu.build-id"]) == [("crt.o", 0, 0x24)]
    assert pieces(sections[".stack"]) == [("", 0, 0x400)]
