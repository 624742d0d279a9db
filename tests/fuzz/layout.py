# SPDX-License-Identifier: Apache-2.0
"""Finds every number in a .pte, or in an Ethos-U blob, that its reader follows.

The fields of the tables come from the wheel's program.fbs, so the walk covers fields that are added
there. Use this only for good files, because this reader trusts the numbers that it reads.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from programs import schema_folder

# FlatBuffers' names of scalar types -> bytes.
_WIDTHS = {
    "bool": 1, "byte": 1, "ubyte": 1, "int8": 1, "uint8": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "int32": 4,
    "uint32": 4, "float": 4, "long": 8, "ulong": 8, "int64": 8, "uint64": 8, "double": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A number in a file. `kind` says what its values mean: "Tensor.sizes", "offset", "count"…"""

    at: int
    width: int
    kind: str


class Schema:
    """Tables, unions and enumerations of a FlatBuffers schema."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"//[^\n]*", "", text)
        self.enums = dict(re.findall(r"\benum (\w+)\s*:\s*(\w+)", text))
        self.unions = {
            name: [member.strip() for member in body.split(",") if member.strip()]
            for name, body in re.findall(r"\bunion (\w+)\s*\{([^}]*)\}", text)
        }
        self.tables: dict[str, list[tuple[str, str]]] = {}
        for name, body in re.findall(r"\btable (\w+)\s*\{([^}]*)\}", text):
            self.tables[name] = re.findall(r"(\w+)\s*:\s*(\[?\w+\]?)", body)

    def width(self, kind: str) -> int | None:
        """Return the bytes of a scalar of this type; None for a type that is stored elsewhere."""
        return _WIDTHS.get(self.enums.get(kind, kind))


def program_schema() -> Schema:
    folder = schema_folder()
    return Schema("".join((folder / name).read_text("utf-8") for name in ("scalar_type.fbs", "program.fbs")))


class Walk:
    """Finds all sites of one .pte."""

    def __init__(self, data: bytes, schema: Schema) -> None:
        self._data = data
        self._schema = schema
        self._seen: set[int] = set()
        self._ranges: list[tuple[int, int]] = []
        self.sites: list[Site] = []
        # Positions of tables and vectors: values that an offset may be changed to.
        self.targets: set[int] = set()
        self._add(0, 4, "root")
        self._add(4, 4, "identifier")
        if data[8:12] == b"eh00":
            for at, width, kind in ((8, 4, "magic"), (12, 4, "length"), (16, 8, "program"), (24, 8, "base")):
                self._add(at, width, f"header.{kind}")
            self._add(32, 8, "header.data")
        self._table("Program", self._number(0, 4))
        for start, size in _inline_and_segment_blobs(data, self._ranges):
            self.sites.extend(Site(start + site.at, site.width, site.kind) for site in blob_sites(data[start:][:size]))

    def _number(self, at: int, width: int) -> int:
        return int.from_bytes(self._data[at : at + width], "little")

    def _add(self, at: int, width: int, kind: str) -> None:
        if at not in self._seen:
            self._seen.add(at)
            self.sites.append(Site(at, width, kind))

    def _table(self, name: str, at: int) -> None:
        if at in self.targets:
            return
        self.targets.add(at)
        vtable = at - int.from_bytes(self._data[at : at + 4], "little", signed=True)
        self._add(at, 4, "vtable")
        self._add(vtable, 2, "vtable.size")
        self._add(vtable + 2, 2, "table.size")
        slots = [vtable + offset for offset in range(4, self._number(vtable, 2), 2)]
        position = 0
        for field, kind in self._schema.tables[name]:
            if kind in self._schema.unions:
                tag = self._field(slots, position, at)
                content = self._field(slots, position + 1, at)
                position += 2
                if tag is not None and content is not None:
                    self._add(tag, 1, f"{kind}.tag")
                    self._add(content, 4, "offset")
                    member = self._schema.unions[kind][self._number(tag, 1) - 1]
                    self._table(member, content + self._number(content, 4))
                continue
            found = self._field(slots, position, at)
            position += 1
            if found is not None:
                self._value(f"{name}.{field}", kind, found)

    def _field(self, slots: list[int], position: int, table: int) -> int | None:
        if position >= len(slots):
            return None
        self._add(slots[position], 2, "slot")
        offset = self._number(slots[position], 2)
        return table + offset if offset else None

    def _value(self, field: str, kind: str, at: int) -> None:
        width = self._schema.width(kind)
        if width is not None:
            self._add(at, width, field)
            return
        self._add(at, 4, "offset")
        target = at + self._number(at, 4)
        if kind in self._schema.tables:
            self._table(kind, target)
            return
        self.targets.add(target)
        count = self._number(target, 4)
        self._add(target, 4, "count")
        if kind == "string":
            for index in {0, count - 1, count} - {-1}:
                self._add(target + 4 + index, 1, "text")
            return
        item = kind[1:-1]
        item_width = self._schema.width(item)
        if item_width == 1:
            self._ranges.append((target + 4, count))
        for index in range(count if item_width != 1 else min(count, 16)):
            if item_width is not None:
                self._add(target + 4 + index * item_width, item_width, field)
            else:
                self._value(field, item, target + 4 + 4 * index)


def _inline_and_segment_blobs(data: bytes, ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield begin and size of each Ethos-U blob, whether inline or in a segment."""
    starts = [match.start() for match in re.finditer(rb"vela_bin_stream\0", data)]
    for start in starts:
        inline = [size for begin, size in ranges if begin == start]
        end = data.find(b"vela_end_stream\0", start)
        yield start, inline[0] if inline else end + 32 - start


def blob_sites(blob: bytes) -> list[Site]:
    """Return the sites of a blob.

    These are the block headers, the tables of inputs and outputs, the scratch size, and every word
    of the driver payload.
    """
    sites = []
    at = 0
    while at + 32 <= len(blob):
        name = blob[at : at + 16].rstrip(b"\0").decode("ascii")
        (size,) = struct.unpack_from("<I", blob, at + 16)
        sites += [Site(at + offset, 1, "blob.name") for offset in (0, len(name) - 1, len(name))]
        sites.append(Site(at + 16, 4, "blob.length"))
        sites.append(Site(at + 20, 1, "blob.external"))
        if name in ("inputs", "outputs"):
            sites += [Site(at + 32 + word, 4, "blob.record") for word in range(0, size, 4)]
        elif name == "scratch_size":
            sites.append(Site(at + 32, 4, "blob.scratch"))
        elif name == "cmd_data":
            sites += [Site(at + 32 + word, 4, "blob.command") for word in range(0, size, 4)]
        at += 32 + -(-size // 16) * 16
    return sites
