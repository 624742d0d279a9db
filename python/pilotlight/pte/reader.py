# SPDX-License-Identifier: Apache-2.0
"""Reads a .pte.

`read_program` checks everything that it returns: indices of values, operators and delegates are in
range, shapes match their dim orders, and data lie inside the file. Users of a `Program` need no
checks of their own.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from pilotlight.errors import BadProgram
from pilotlight.pte.flatbuffer import FlatBuffer, Table
from pilotlight.pte.program import (
    Delegate,
    DelegateCall,
    FreeCall,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    Program,
    Tensor,
    TensorList,
    Value,
)
from pilotlight.pte.schema import FILE_IDENTIFIER, SCALAR_TYPES, SCHEMA, UNIONS

# A file with segments has an extended header behind the file identifier: magic, header length,
# length of the FlatBuffer, offset of the first segment.
_EXTENDED_HEADER = struct.Struct("<4sIQQ")
_EXTENDED_MAGIC = b"eh00"
_EXTENDED_AT = 8

_MAX_RANK = 16
_MAX_ELEMENTS = 1 << 40
_IN_SEGMENT = 1


def read_program(data: bytes) -> Program:
    """Read a .pte. Raises BadProgram, which names the offset, if it is malformed."""
    if len(data) < _EXTENDED_AT or data[4:8] != FILE_IDENTIFIER:
        raise BadProgram(
            f"offset 4: not an ExecuTorch program: file identifier {bytes(data[4:8])!r} instead of {FILE_IDENTIFIER!r}",
            hint="give a .pte written by ExecuTorch 1.x",
        )
    program_bytes, segment_base = len(data), 0
    if data[_EXTENDED_AT : _EXTENDED_AT + 4] == _EXTENDED_MAGIC:
        if len(data) < _EXTENDED_AT + _EXTENDED_HEADER.size:
            raise BadProgram("offset 8: the extended header is cut off")
        _, header_bytes, program_bytes, segment_base = _EXTENDED_HEADER.unpack_from(data, _EXTENDED_AT)
        if header_bytes < _EXTENDED_HEADER.size or program_bytes > len(data) or segment_base > len(data):
            raise BadProgram(
                f"offset 8: the header promises {program_bytes} bytes of program and segments at {segment_base}, "
                f"but the file has {len(data)} bytes"
            )
        # Without segments, the writer leaves the base at 0 and sets the size to the file's.
    view = memoryview(data)
    root = FlatBuffer(view[:program_bytes], SCHEMA, UNIONS).root("Program")
    return _Reader(view, segment_base, root).program()


class _Reader:
    """Resolves the indices in tables: segments, constants, delegate data."""

    def __init__(self, file: memoryview, segment_base: int, root: Table) -> None:
        self._root = root
        self._size_bytes = len(file)
        self._segments = [self._segment(file, segment_base, entry) for entry in root.tables("segments")]
        self._segment_starts = [segment_base + entry.integer("offset") for entry in root.tables("segments")]
        self._inline_data = [entry.octets("data") for entry in root.tables("backend_delegate_data")]
        self._inline_constants = [entry.octets("storage") for entry in root.tables("constant_buffer")]
        constant_segment = root.table("constant_segment")
        self._constant_offsets = () if constant_segment is None else constant_segment.numbers("offsets")
        self._constants = memoryview(b"")
        if constant_segment is not None and len(self._constant_offsets) > 0 and self._segments:
            self._constants = self._pick(self._segments, constant_segment.integer("segment_index"), constant_segment)
        self._mutable = root.tables("mutable_data_segments")

    @staticmethod
    def _segment(file: memoryview, base: int, entry: Table) -> memoryview:
        start, size = base + entry.integer("offset"), entry.integer("size")
        if start + size > len(file):
            raise BadProgram(f"offset {entry.offset}: segment of {size} bytes at {start} lies outside the file")
        return file[start : start + size]

    @staticmethod
    def _pick(items: list[memoryview], index: int, table: Table) -> memoryview:
        if not 0 <= index < len(items):
            raise BadProgram(f"offset {table.offset}: {table.type_name} refers to entry {index} of {len(items)}")
        return items[index]

    def program(self) -> Program:
        methods: dict[str, Method] = {}
        for plan in self._root.tables("execution_plan"):
            method = self._method(plan)
            if method.name in methods:
                raise BadProgram(f"offset {plan.offset}: two methods named {method.name!r}")
            methods[method.name] = method
        named = {
            entry.text("key"): bytes(self._pick(self._segments, entry.integer("segment_index"), entry))
            for entry in self._root.tables("named_data")
        }
        constants = len(self._constants) + sum(len(buffer) for buffer in self._inline_constants)
        return Program(self._root.integer("version"), methods, constants, named, self._size_bytes)

    def _method(self, plan: Table) -> Method:
        entries = plan.tables("values")
        values = tuple(self._value(entry, len(entries)) for entry in entries)
        operators = tuple(_operator_name(entry) for entry in plan.tables("operators"))
        delegates = tuple(self._delegate(entry) for entry in plan.tables("delegates"))
        chains = tuple(_chain(chain, len(values), operators, len(delegates)) for chain in plan.tables("chains"))
        sizes = plan.numbers("non_const_buffer_sizes")
        if any(size < 0 for size in sizes):
            raise BadProgram(f"offset {plan.offset}: negative size of a planned buffer")
        for value in values:
            if isinstance(value, Tensor) and value.memory is not None:
                _check_place(plan, value, value.memory, sizes)
        return Method(
            name=plan.text("name"),
            values=values,
            value_types=tuple(_type_of(entry) for entry in entries),
            input_values=_indices(plan, "inputs", len(values)),
            output_values=_indices(plan, "outputs", len(values)),
            operators=operators,
            delegates=delegates,
            chains=chains,
            # Entry 0 is for constants and unused (schema/program.fbs).
            planned_buffer_sizes=sizes[1:],
        )

    def _delegate(self, entry: Table) -> Delegate:
        reference = entry.table("processed")
        if reference is None:
            raise BadProgram(f"offset {entry.offset}: a delegate has no data")
        stores = {0: self._inline_data, _IN_SEGMENT: self._segments}
        store = stores.get(reference.integer("location"))
        if store is None:
            raise BadProgram(f"offset {reference.offset}: unknown location of a delegate's data")
        specs = tuple((spec.text("key"), bytes(spec.octets("value"))) for spec in entry.tables("compile_specs"))
        return Delegate(entry.text("id"), specs, bytes(self._pick(store, reference.integer("index"), reference)))

    def _value(self, entry: Table, value_count: int) -> Value:
        value = entry.union("val")
        if value is None:
            return None
        readers: dict[str, Callable[[Table], Value]] = {
            "Null": lambda _: None,
            "Int": lambda table: table.integer("int_val"),
            "Bool": lambda table: bool(table.integer("bool_val")),
            "Double": lambda table: table.real("double_val"),
            "String": lambda table: table.text("string_val"),
            # The items are themselves indices of values: each integer of a list is a value.
            "IntList": lambda table: table.numbers("items"),
            "DoubleList": lambda table: table.reals("items"),
            "BoolList": lambda table: table.numbers("items"),
            "TensorList": lambda table: TensorList(_indices(table, "items", value_count)),
            "OptionalTensorList": lambda table: TensorList(_indices(table, "items", value_count, none=True)),
            "Tensor": self._tensor,
        }
        return readers[value.type_name](value)

    def _tensor(self, table: Table) -> Tensor:
        scalar_type = table.integer("scalar_type")
        if scalar_type not in SCALAR_TYPES:
            raise BadProgram(f"offset {table.offset}: unknown scalar type {scalar_type}")
        dtype, element_bytes = SCALAR_TYPES[scalar_type]
        shape = table.numbers("sizes")
        order = table.numbers("dim_order") or tuple(range(len(shape)))
        if len(shape) > _MAX_RANK or any(size < 0 for size in shape) or math.prod(shape) > _MAX_ELEMENTS:
            raise BadProgram(f"offset {table.offset}: impossible shape {shape[:_MAX_RANK]}")
        if sorted(order) != list(range(len(shape))):
            raise BadProgram(f"offset {table.offset}: dim order {order[:_MAX_RANK]} does not fit shape {shape}")
        if table.integer("storage_offset") != 0:
            raise BadProgram(f"offset {table.offset}: a tensor with a storage offset, which no runtime supports")
        size_bytes = math.prod(shape) * element_bytes
        place = table.table("allocation_info")
        memory = None
        if place is not None:
            offset = place.integer("memory_offset_low") | place.integer("memory_offset_high") << 32
            memory = (place.integer("memory_id"), offset)
        extra = table.table("extra_tensor_info")
        external = extra.text("fully_qualified_name") if extra is not None and extra.integer("location") == 1 else ""
        index = table.integer("data_buffer_idx")
        data = self._constant(table, index, size_bytes) if index > 0 and memory is None and not external else None
        dynamic = table.integer("shape_dynamism") != 0
        has_initial = index > 0 and memory is not None and not external
        at = self._initial(table, extra, index, size_bytes) if has_initial else None
        return Tensor(dtype, shape, order, size_bytes, dynamic, data, memory, external, at)

    def _initial(self, table: Table, extra: Table | None, index: int, size_bytes: int) -> int:
        chosen = 0 if extra is None else extra.integer("mutable_data_segments_idx")
        if chosen >= len(self._mutable):
            raise BadProgram(f"offset {table.offset}: initial state {chosen} of {len(self._mutable)}")
        entry = self._mutable[chosen]
        offsets = entry.numbers("offsets")
        segment = self._pick(self._segments, entry.integer("segment_index"), entry)
        if index >= len(offsets) or not 0 <= offsets[index] <= len(segment) - size_bytes:
            raise BadProgram(
                f"offset {table.offset}: initial state {index} of {size_bytes} bytes is not in its segment"
            )
        return self._segment_starts[entry.integer("segment_index")] + offsets[index]

    def _constant(self, table: Table, index: int, size_bytes: int) -> bytes:
        if self._constant_offsets:
            if index >= len(self._constant_offsets):
                raise BadProgram(f"offset {table.offset}: constant {index} of {len(self._constant_offsets)}")
            start = self._constant_offsets[index]
            data = self._constants[start : start + size_bytes]
        else:
            data = self._pick(self._inline_constants, index, table)[:size_bytes]
        if len(data) != size_bytes:
            raise BadProgram(f"offset {table.offset}: constant {index} has {len(data)} of {size_bytes} bytes")
        return bytes(data)


def _type_of(entry: Table) -> str:
    value = entry.union("val")
    return "Null" if value is None else value.type_name


def _operator_name(entry: Table) -> str:
    overload = entry.text("overload")
    return f"{entry.text('name')}.{overload}" if overload else entry.text("name")


def _indices(table: Table, name: str, count: int, *, none: bool = False) -> tuple[int, ...]:
    indices = table.numbers(name)
    lowest = -1 if none else 0
    for index in indices:
        if not lowest <= index < count:
            raise BadProgram(f"offset {table.offset}: {table.type_name}.{name} refers to value {index} of {count}")
    return indices


def _index(table: Table, name: str, count: int) -> int:
    index = table.integer(name)
    if not 0 <= index < count:
        raise BadProgram(f"offset {table.offset}: {table.type_name}.{name} is {index}, but there are only {count}")
    return index


def _check_place(plan: Table, tensor: Tensor, memory: tuple[int, int], sizes: tuple[int, ...]) -> None:
    buffer, offset = memory
    if not 0 < buffer < len(sizes):
        raise BadProgram(f"offset {plan.offset}: a tensor is planned into buffer {buffer} of {max(0, len(sizes) - 1)}")
    if offset + tensor.size_bytes > sizes[buffer]:
        raise BadProgram(
            f"offset {plan.offset}: a tensor of {tensor.size_bytes} bytes at {offset} exceeds the "
            f"{sizes[buffer]} bytes of planned buffer {buffer}"
        )


def _chain(chain: Table, value_count: int, operators: tuple[str, ...], delegate_count: int) -> tuple[Instruction, ...]:
    entries = chain.tables("instructions")
    instructions: list[Instruction] = []
    for entry in entries:
        call = entry.union("instr_args")
        if call is None:
            raise BadProgram(f"offset {entry.offset}: an instruction without arguments")
        instruction: Instruction
        if call.type_name == "KernelCall":
            operator = operators[_index(call, "op_index", len(operators))]
            instruction = KernelCall(operator, _indices(call, "args", value_count))
        elif call.type_name == "DelegateCall":
            delegate = _index(call, "delegate_index", delegate_count)
            instruction = DelegateCall(delegate, _indices(call, "args", value_count))
        elif call.type_name == "MoveCall":
            instruction = MoveCall(_index(call, "move_from", value_count), _index(call, "move_to", value_count))
        elif call.type_name == "JumpFalseCall":
            # A jump to one past the last instruction ends the chain.
            target = _index(call, "destination_instruction", len(entries) + 1)
            instruction = JumpFalseCall(_index(call, "cond_value_index", value_count), target)
        else:
            instruction = FreeCall(_index(call, "value_index", value_count))
        instructions.append(instruction)
    return tuple(instructions)
