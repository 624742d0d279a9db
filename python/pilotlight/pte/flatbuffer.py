# SPDX-License-Identifier: Apache-2.0
"""A FlatBuffer reader that checks every offset.

Generated readers trust the file, but a .pte may come from anywhere. This reader gets its fields
from tables (see schema.py). The reader checks each offset against the buffer before it follows it.
A bad offset is a BadProgram that names it; it never becomes an IndexError, a MemoryError or
garbage.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pilotlight.errors import BadProgram

# A table's fields in schema order: (name, type). A union takes two slots; its type comes first.
Fields = Sequence[tuple[str, str]]

_FORMATS = {
    "bool": "<?",
    "byte": "<b",
    "ubyte": "<B",
    "int": "<i",
    "uint": "<I",
    "long": "<q",
    "ulong": "<Q",
    "double": "<d",
}
_SCALARS = {name: struct.Struct(text) for name, text in _FORMATS.items()}
_U16, _U32, _I32 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<i")

# In a hostile file vectors may overlap, so that reading them takes far longer than the file's size
# suggests. No writer produces more than one element per byte.
_ELEMENTS_PER_BYTE = 4


@dataclass(slots=True)
class FlatBuffer:
    """The bytes, the schema, and a count of the elements read so far."""

    data: memoryview
    schema: Mapping[str, Fields]
    unions: Mapping[str, Sequence[str]]
    _elements: int = field(default=0, init=False)

    def root(self, type_name: str) -> Table:
        """Return the root table. Raises BadProgram if it is malformed."""
        return Table.at(self, type_name, self.unpack(_U32, 0))

    def unpack(self, form: struct.Struct, at: int) -> int:
        """Return the integer at `at`. Raises BadProgram if it lies outside the buffer."""
        self.check(at, form.size)
        return int(form.unpack_from(self.data, at)[0])

    def check(self, at: int, size_bytes: int) -> None:
        """Raise BadProgram unless `size_bytes` bytes at `at` lie in the buffer."""
        if at < 0 or at + size_bytes > len(self.data):
            raise BadProgram(f"offset {at}: {size_bytes} bytes lie outside the {len(self.data)} bytes of the program")

    def vector(self, at: int, element_bytes: int) -> tuple[int, int]:
        """Return the offset of the first element and the count of the vector at `at`."""
        count = self.unpack(_U32, at)
        self.check(at + 4, count * element_bytes)
        self._elements += count if element_bytes > 1 else 1
        if self._elements > _ELEMENTS_PER_BYTE * len(self.data):
            raise BadProgram(f"offset {at}: the program's vectors overlap")
        return at + 4, count


@dataclass(frozen=True, slots=True)
class Table:
    """One table. An absent field reads as zero, empty or None, as FlatBuffers defines it."""

    buffer: FlatBuffer
    type_name: str
    offset: int
    slots: Mapping[str, tuple[int, str]]

    @staticmethod
    def at(buffer: FlatBuffer, type_name: str, offset: int) -> Table:
        """Return the table of this type at `offset`. Raises BadProgram if it is malformed."""
        vtable = offset - buffer.unpack(_I32, offset)
        vtable_bytes = buffer.unpack(_U16, vtable)
        table_bytes = buffer.unpack(_U16, vtable + 2)
        if vtable_bytes < 4 or vtable_bytes % 2 != 0:
            raise BadProgram(f"offset {vtable}: not a table of type {type_name}")
        buffer.check(vtable, vtable_bytes)
        buffer.check(offset, table_bytes)
        slots: dict[str, tuple[int, str]] = {}
        slot = 4
        for name, kind in buffer.schema[type_name]:
            here = buffer.unpack(_U16, vtable + slot) if slot + 2 <= vtable_bytes else 0
            if here >= table_bytes and here != 0:
                raise BadProgram(f"offset {vtable}: field {type_name}.{name} lies outside its table")
            if here:
                slots[name] = (offset + here, kind)
            slot += 2
        return Table(buffer, type_name, offset, slots)

    def _slot(self, name: str, kind: str) -> int | None:
        found = self.slots.get(name)
        if found is None:
            return None
        at, declared = found
        assert declared == kind, f"{self.type_name}.{name} is {declared}, not {kind}"
        return at

    def _follow(self, name: str, kind: str) -> int | None:
        at = self._slot(name, kind)
        return None if at is None else at + self.buffer.unpack(_U32, at)

    def _kind(self, name: str) -> str:
        return next(kind for field_name, kind in self.buffer.schema[self.type_name] if field_name == name)

    def integer(self, name: str) -> int:
        kind = self._kind(name)
        at = self._slot(name, kind)
        return 0 if at is None else self.buffer.unpack(_SCALARS[kind], at)

    def real(self, name: str) -> float:
        at = self._slot(name, "double")
        if at is None:
            return 0.0
        self.buffer.check(at, 8)
        return float(_SCALARS["double"].unpack_from(self.buffer.data, at)[0])

    def text(self, name: str) -> str:
        at = self._follow(name, "string")
        if at is None:
            return ""
        start, count = self.buffer.vector(at, 1)
        try:
            return bytes(self.buffer.data[start : start + count]).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadProgram(f"offset {start}: {self.type_name}.{name} is not UTF-8") from error

    def octets(self, name: str) -> memoryview:
        """Return a [ubyte] field without copying it."""
        at = self._follow(name, "[ubyte]")
        if at is None:
            return memoryview(b"")
        start, count = self.buffer.vector(at, 1)
        return self.buffer.data[start : start + count]

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return a vector of integers or Booleans."""
        values = self._values(name)
        return tuple(int(value) for value in values)

    def reals(self, name: str) -> tuple[float, ...]:
        """Return a vector of doubles."""
        return tuple(float(value) for value in self._values(name))

    def _values(self, name: str) -> tuple[int | float, ...]:
        kind = self._kind(name)
        at = self._follow(name, kind)
        if at is None:
            return ()
        form = _SCALARS[kind[1:-1]]
        start, count = self.buffer.vector(at, form.size)
        return struct.unpack_from(f"<{count}{form.format[-1]}", self.buffer.data, start)

    def table(self, name: str) -> Table | None:
        kind = self._kind(name)
        at = self._follow(name, kind)
        return None if at is None else Table.at(self.buffer, kind, at)

    def tables(self, name: str) -> list[Table]:
        kind = self._kind(name)
        at = self._follow(name, kind)
        if at is None:
            return []
        start, count = self.buffer.vector(at, 4)
        offsets = range(start, start + 4 * count, 4)
        return [Table.at(self.buffer, kind[1:-1], here + self.buffer.unpack(_U32, here)) for here in offsets]

    def union(self, name: str) -> Table | None:
        """Return the union's table, or None if it is unset. Its `type_name` is the union's type."""
        kind = self._kind(name)
        members = self.buffer.unions[kind]
        tag = self.integer(f"{name}_type")
        at = self._follow(name, kind)
        if tag == 0 or at is None:
            return None
        if tag > len(members):
            raise BadProgram(f"offset {self.offset}: {self.type_name}.{name} has unknown type {tag}")
        return Table.at(self.buffer, members[tag - 1], at)
