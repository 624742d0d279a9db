# SPDX-License-Identifier: Apache-2.0
"""The tables of ExecuTorch's program schema ("ET12"), as data.

Names and order are those of schema/program.fbs and schema/scalar_type.fbs in the executorch 1.5.1
wheel. Upstream only appends fields, so a table here may end after the last field that this package
needs.
"""

from __future__ import annotations

from pilotlight.pte.flatbuffer import Fields

FILE_IDENTIFIER = b"ET12"

SCHEMA: dict[str, Fields] = {
    "Program": (
        ("version", "uint"),
        ("execution_plan", "[ExecutionPlan]"),
        ("constant_buffer", "[Buffer]"),
        ("backend_delegate_data", "[BackendDelegateInlineData]"),
        ("segments", "[DataSegment]"),
        ("constant_segment", "SubsegmentOffsets"),
        ("mutable_data_segments", "[SubsegmentOffsets]"),
        ("named_data", "[NamedData]"),
    ),
    "ExecutionPlan": (
        ("name", "string"),
        ("container_meta_type", "ContainerMetadata"),
        ("values", "[EValue]"),
        ("inputs", "[int]"),
        ("outputs", "[int]"),
        ("chains", "[Chain]"),
        ("operators", "[Operator]"),
        ("delegates", "[BackendDelegate]"),
        ("non_const_buffer_sizes", "[long]"),
    ),
    "EValue": (("val_type", "ubyte"), ("val", "KernelTypes")),
    "Null": (),
    "Int": (("int_val", "long"),),
    "Bool": (("bool_val", "bool"),),
    "Double": (("double_val", "double"),),
    "String": (("string_val", "string"),),
    "IntList": (("items", "[long]"),),
    "DoubleList": (("items", "[double]"),),
    "BoolList": (("items", "[bool]"),),
    "TensorList": (("items", "[int]"),),
    "OptionalTensorList": (("items", "[int]"),),
    "Tensor": (
        ("scalar_type", "byte"),
        ("storage_offset", "int"),
        ("sizes", "[int]"),
        ("dim_order", "[ubyte]"),
        ("requires_grad", "bool"),
        ("data_buffer_idx", "uint"),
        ("allocation_info", "AllocationDetails"),
        ("layout", "byte"),
        ("shape_dynamism", "byte"),
        ("extra_tensor_info", "ExtraTensorInfo"),
    ),
    "AllocationDetails": (("memory_id", "uint"), ("memory_offset_low", "uint"), ("memory_offset_high", "uint")),
    "ExtraTensorInfo": (
        ("mutable_data_segments_idx", "ulong"),
        ("fully_qualified_name", "string"),
        ("location", "byte"),
    ),
    "Chain": (("inputs", "[int]"), ("outputs", "[int]"), ("instructions", "[Instruction]")),
    "Instruction": (("instr_args_type", "ubyte"), ("instr_args", "InstructionArguments")),
    "KernelCall": (("op_index", "int"), ("args", "[int]")),
    "DelegateCall": (("delegate_index", "int"), ("args", "[int]")),
    "MoveCall": (("move_from", "int"), ("move_to", "int")),
    "JumpFalseCall": (("cond_value_index", "int"), ("destination_instruction", "int")),
    "FreeCall": (("value_index", "int"),),
    "Operator": (("name", "string"), ("overload", "string")),
    "BackendDelegate": (
        ("id", "string"),
        ("processed", "BackendDelegateDataReference"),
        ("compile_specs", "[CompileSpec]"),
    ),
    "BackendDelegateDataReference": (("location", "byte"), ("index", "uint")),
    "CompileSpec": (("key", "string"), ("value", "[ubyte]")),
    "Buffer": (("storage", "[ubyte]"),),
    "BackendDelegateInlineData": (("data", "[ubyte]"),),
    "DataSegment": (("offset", "ulong"), ("size", "ulong")),
    "SubsegmentOffsets": (("segment_index", "uint"), ("offsets", "[ulong]")),
    "NamedData": (("key", "string"), ("segment_index", "uint")),
}

UNIONS = {
    "KernelTypes": (
        "Null",
        "Int",
        "Bool",
        "Double",
        "Tensor",
        "String",
        "IntList",
        "DoubleList",
        "BoolList",
        "TensorList",
        "OptionalTensorList",
    ),
    "InstructionArguments": ("KernelCall", "DelegateCall", "MoveCall", "JumpFalseCall", "FreeCall"),
}

# ScalarType -> (name, bytes per element). Where NumPy has the type, the name is NumPy's.
SCALAR_TYPES = {
    0: ("uint8", 1),
    1: ("int8", 1),
    2: ("int16", 2),
    3: ("int32", 4),
    4: ("int64", 8),
    5: ("float16", 2),
    6: ("float32", 4),
    7: ("float64", 8),
    11: ("bool", 1),
    12: ("qint8", 1),
    13: ("quint8", 1),
    14: ("qint32", 4),
    15: ("bfloat16", 2),
    16: ("quint4x2", 1),
    17: ("quint2x4", 1),
    22: ("bits16", 2),
    23: ("float8_e5m2", 1),
    24: ("float8_e4m3fn", 1),
    25: ("float8_e5m2fnuz", 1),
    26: ("float8_e4m3fnuz", 1),
    27: ("uint16", 2),
    28: ("uint32", 4),
    29: ("uint64", 8),
}
