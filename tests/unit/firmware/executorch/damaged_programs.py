# SPDX-License-Identifier: Apache-2.0
"""Files with an error that is made in the bytes of a .pte."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def _root(pte: bytes) -> int:
    return int(struct.unpack_from("<I", pte)[0])


def _follow(pte: bytes, at: int) -> int:
    """Return the position to which the offset at `at` refers."""
    return at + int(struct.unpack_from("<I", pte, at)[0])


def _entry(pte: bytes, table: int, field: int) -> int:
    """Return the position of a field's entry in the table's list of fields."""
    return table - int(struct.unpack_from("<i", pte, table)[0]) + 4 + 2 * field


def _field(pte: bytes, table: int, field: int) -> int:
    return table + int(struct.unpack_from("<H", pte, _entry(pte, table, field))[0])


def _vector(pte: bytes, at: int) -> range:
    """Return the positions of the offsets in a list of tables."""
    start = _follow(pte, at)
    return range(start + 4, start + 4 + 4 * int(struct.unpack_from("<I", pte, start)[0]), 4)


def _without_field(pte: bytes, table: int, field: int) -> bytes:
    """Return the program without the field, in all tables that share the list of fields."""
    entry = _entry(pte, table, field)
    return pte[:entry] + b"\0\0" + pte[entry + 2 :]


def damaged(pte: bytes, segmented: bytes) -> Iterator[tuple[str, bytes]]:
    """Files with an error in the frame, which is found before any table is read."""
    yield "identifier", pte[:4] + b"ET99" + pte[8:]
    yield "identifier_of_another_format", pte[:4] + b"TFL3" + pte[8:]
    yield "root_beyond_the_end", b"\xff\xff\xff\x7f" + pte[4:]
    yield "root_zero", b"\0\0\0\0" + pte[4:]
    yield "empty", b""
    yield "one_byte", b"\x18"
    for size in (4, 8, 63, 64, 65):
        yield f"cut_to_{size}", pte[:size]
    yield "cut_to_half", pte[: len(pte) // 2]
    yield "cut_to_nearly_all", pte[:-1]
    for size in (64, 128):
        yield f"segments_cut_to_{size}", segmented[:size]
    yield "segments_cut_to_half", segmented[: len(segmented) // 2]
    yield "segments_cut_to_nearly_all", segmented[:-1]

    plan = _follow(pte, _vector(pte, _field(pte, _root(pte), 1))[0])
    first_value = _vector(pte, _field(pte, plan, 2))[0]
    yield "values_with_types_and_no_contents", _without_field(pte, _follow(pte, first_value), 1)
    chain = _follow(pte, _vector(pte, _field(pte, plan, 5))[0])
    first_instruction = _vector(pte, _field(pte, chain, 2))[0]
    yield "instructions_with_kinds_and_no_contents", _without_field(pte, _follow(pte, first_instruction), 1)

    def header(**fields: int) -> bytes:
        values = dict(
            zip(("length", "program", "base", "data"), struct.unpack_from("<IQQQ", segmented, 12), strict=True)
        )
        values.update(fields)
        packed = struct.pack("<IQQQ", values["length"], values["program"], values["base"], values["data"])
        return segmented[:12] + packed + segmented[40:]

    yield "header_length_0", header(length=0)
    yield "header_length_23", header(length=23)
    yield "header_length_24", header(length=24)
    yield "header_length_huge", header(length=2**32 - 1)
    yield "header_program_0", header(program=0)
    yield "header_program_short", header(program=100)
    yield "header_program_huge", header(program=2**64 - 1)
    yield "header_base_huge", header(base=2**64 - 64)
    yield "header_base_far", header(base=10**6)
    yield "header_base_0", header(base=0)
    yield "header_data_huge", header(data=2**64 - 1)
    yield "header_data_far", header(data=10**6)
    yield "header_data_0", header(data=0)
