# SPDX-License-Identifier: Apache-2.0
"""Hand-written programs for the runtime, good and bad, as bytes of .pte files.

A program is a dict in the form of schema/program.fbs, and flatc makes the FlatBuffer. flatc knows neither the extended
header nor segments, so they are added here (layout: executorch/exir/_serialize/_program.py).
"""

from __future__ import annotations

import copy
import importlib.util
import json
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SEGMENT_ALIGN = 128


def schema_folder() -> Path:
    spec = importlib.util.find_spec("executorch")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "schema"


class Assembler:
    """Turns dicts into .pte bytes, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def assemble(self, programs: dict[str, tuple[Json, Sequence[bytes]]]) -> dict[str, bytes]:
        for name, (program, _) in programs.items():
            (self._folder / f"{name}.json").write_text(json.dumps(program), encoding="utf-8")
        sources = [str(self._folder / f"{name}.json") for name in programs]
        schema = schema_folder() / "program.fbs"
        command = ["/usr/bin/flatc", "--binary", "-o", str(self._folder), str(schema), *sources]
        subprocess.run(command, check=True, capture_output=True)
        result = {}
        for name, (_, segments) in programs.items():
            flatbuffer = (self._folder / f"{name}.pte").read_bytes()
            result[name] = with_segments(flatbuffer, segments) if segments else flatbuffer
        return result


def with_segments(flatbuffer: bytes, segments: Sequence[bytes]) -> bytes:
    """Insert the extended header and append segments, each at a multiple of 128 bytes."""
    header_bytes = 32
    (root,) = struct.unpack_from("<I", flatbuffer)
    program_bytes = len(flatbuffer) + header_bytes
    base = -(-program_bytes // _SEGMENT_ALIGN) * _SEGMENT_ALIGN
    body = b"".join(segment.ljust(-(-len(segment) // _SEGMENT_ALIGN) * _SEGMENT_ALIGN, b"\0") for segment in segments)
    header = struct.pack("<4sIQQQ", b"eh00", header_bytes, program_bytes, base, len(body))
    head = struct.pack("<I", root + header_bytes) + flatbuffer[4:8] + header + flatbuffer[8:]
    return head.ljust(base, b"\0") + body


def segment_table(sizes: Sequence[int]) -> list[Json]:
    table, offset = [], 0
    for size in sizes:
        table.append({"offset": offset, "size": size})
        offset += -(-size // _SEGMENT_ALIGN) * _SEGMENT_ALIGN
    return table


def tensor(sizes: Sequence[int], *, scalar_type: str = "FLOAT", at: int | None = None, **more: Any) -> Json:
    """A value; `at` is its byte offset in planned buffer 1."""
    value: Json = {
        "scalar_type": scalar_type,
        "sizes": list(sizes),
        "dim_order": list(range(len(sizes))),
        "shape_dynamism": "STATIC",
    }
    if at is not None:
        value["allocation_info"] = {"memory_id": 1, "memory_offset_low": at, "memory_offset_high": 0}
    value.update(more)
    return {"val_type": "Tensor", "val": value}


def value(kind: str, **content: Any) -> Json:
    return {"val_type": kind, "val": content}


def kernel(operator: int, *args: int) -> Json:
    return {"instr_args_type": "KernelCall", "instr_args": {"op_index": operator, "args": list(args)}}


def delegate(index: int, *args: int) -> Json:
    return {"instr_args_type": "DelegateCall", "instr_args": {"delegate_index": index, "args": list(args)}}


def move(source: int, destination: int) -> Json:
    return {"instr_args_type": "MoveCall", "instr_args": {"move_from": source, "move_to": destination}}


def jump_false(condition: int, destination: int) -> Json:
    content = {"cond_value_index": condition, "destination_instruction": destination}
    return {"instr_args_type": "JumpFalseCall", "instr_args": content}


def free(index: int) -> Json:
    return {"instr_args_type": "FreeCall", "instr_args": {"value_index": index}}


def plan(values: list[Json], inputs: list[int], outputs: list[int], *chains: list[Json], **more: Any) -> Json:
    result: Json = {
        "name": "forward",
        "container_meta_type": {"encoded_inp_str": "in", "encoded_out_str": "out"},
        "values": values,
        "inputs": inputs,
        "outputs": outputs,
        "chains": [{"inputs": [], "outputs": [], "instructions": chain} for chain in chains],
        "operators": [
            {"name": "probe::trace", "overload": "out"},
            {"name": "probe::fail", "overload": "out"},
            {"name": "probe::countdown", "overload": ""},
            {"name": "probe::missing", "overload": "out"},
        ],
        "delegates": [],
        "non_const_buffer_sizes": [0, 1024],
    }
    result.update(more)
    return result


def program(*plans: Json, **more: Any) -> Json:
    result: Json = {
        "version": 0,
        "execution_plan": list(plans),
        "constant_buffer": [],
        "backend_delegate_data": [],
        # The exporter's form of a program without constants.
        "segments": [{"offset": 0, "size": 0}],
        "constant_segment": {"segment_index": 0, "offsets": [0]},
    }
    result.update(more)
    return result


def ethos_u(index: int = 0, location: str = "INLINE", **more: Any) -> Json:
    result: Json = {
        "id": "EthosUBackend",
        "processed": {"location": location, "index": index},
        "compile_specs": [{"key": "a", "value": [1, 2, 3]}, {"key": "b", "value": []}],
    }
    result.update(more)
    return result


def one_kernel() -> Json:
    """in -> trace -> out, both planned. The bad programs are made from this program."""
    values = [tensor([2, 3], at=0), value("Int", int_val=-7), tensor([2, 3], at=64)]
    return program(plan(values, [0], [2], [kernel(0, 0, 1, 2)]))


def constants() -> tuple[Json, list[bytes]]:
    """Constants, the initial state of a mutable buffer, a delegate's data and named data, all in segments."""
    values = [
        tensor([4], at=0),
        tensor([4], data_buffer_idx=1),
        tensor([2], data_buffer_idx=2),
        tensor([4], at=64),
        tensor([4], at=128, data_buffer_idx=1, extra_tensor_info={"fully_qualified_name": "state.buffer"}),
        tensor([3], at=192, extra_tensor_info={"fully_qualified_name": "scratch.buffer"}),
    ]
    segments = [bytes(range(1, 41)), bytes(range(100, 116)), b"blob of a delegate", b"named bytes"]
    method = plan(
        values,
        [0],
        [3, 4],
        [kernel(0, 0, 1, 2, 3), kernel(0, 4, 5, 3), delegate(0, 3, 0)],
        delegates=[ethos_u(2, "SEGMENT")],
    )
    content = program(
        method,
        segments=segment_table([len(segment) for segment in segments]),
        constant_segment={"segment_index": 0, "offsets": [0, 0, 16]},
        mutable_data_segments=[{"segment_index": 1, "offsets": [0, 0]}],
        named_data=[{"key": "weights", "segment_index": 3}, {"key": "weights again", "segment_index": 3}],
    )
    return content, segments


# Values of lent_memory(): the input, a view, the output, and others.
LENT_IN, LENT_VIEW, LENT_OUT, LENT_VIEW_OF_OUT, FLAG, PLANNED, BIG, SMALL, CONSTANT, SIZE_ANY, SIZE_SEVEN = range(11)


def lent_memory(*instructions: Json) -> tuple[Json, list[bytes]]:
    """A program with tensors of up to 4 rows in the caller's memory. Operators: fill, flip, a view."""
    dynamic = "DYNAMIC_BOUND"
    values = [
        tensor([4, 3], shape_dynamism=dynamic),
        tensor([12], shape_dynamism=dynamic),
        tensor([4, 3], shape_dynamism=dynamic),
        tensor([12], shape_dynamism=dynamic),
        tensor([1], scalar_type="BOOL", at=0),
        tensor([12], at=16, shape_dynamism=dynamic),
        tensor([12], at=64, shape_dynamism=dynamic),
        tensor([2], at=1016),
        tensor([12], data_buffer_idx=1),
        value("IntList", items=[11]),
        value("IntList", items=[12]),
        value("Int", int_val=-1),
        value("Int", int_val=7),
    ]
    operators = [("probe::fill", "out"), ("probe::flip", ""), ("executorch_prim::et_view", "default")]
    method = plan(
        values,
        [LENT_IN],
        [LENT_OUT, LENT_VIEW],
        list(instructions),
        operators=[{"name": name, "overload": overload} for name, overload in operators],
    )
    content = program(method, segments=segment_table([48]), constant_segment={"segment_index": 0, "offsets": [0, 0]})
    return content, [bytes(48)]


def good() -> dict[str, tuple[Json, Sequence[bytes]]]:
    """Programs that load and run."""
    every_kind = [
        tensor([2, 3], at=0),
        value("Null"),
        value("Int", int_val=-(2**40)),
        value("Bool", bool_val=True),
        value("Double", double_val=0.1),
        value("String", string_val="grüße"),
        value("Int", int_val=3),
        value("IntList", items=[2, 6, 6]),
        value("DoubleList", items=[1.5, -2.25]),
        value("BoolList", items=[True, False, True]),
        tensor([2, 3], at=64),
        value("TensorList", items=[0, 10]),
        value("OptionalTensorList", items=[-1, 0, 10]),
        value("IntList", items=[]),
        tensor([], scalar_type="INT", at=128),
        tensor([0, 5], at=132),
        tensor([1, 4, 2, 2], scalar_type="CHAR", at=160, dim_order=[0, 2, 3, 1]),
        value("TensorList", items=[]),
    ]
    result: dict[str, tuple[Json, Sequence[bytes]]] = {
        "one_kernel": (one_kernel(), []),
        "every_kind_of_value": (
            program(plan(every_kind, [0], [10, 2, 4, 5], [kernel(0, *range(len(every_kind)), 10)])),
            [],
        ),
        "scalar_inputs": (
            program(plan(every_kind, [0, 2, 3, 4, 5, 1], [10], [kernel(0, 0, 2, 10)])),
            [],
        ),
        "dynamic_shape": (
            program(
                plan(
                    [
                        tensor([4, 3], at=0, shape_dynamism="DYNAMIC_BOUND"),
                        tensor([4, 3], at=64, shape_dynamism="DYNAMIC_BOUND"),
                    ],
                    [0],
                    [1],
                    [kernel(0, 0, 1)],
                )
            ),
            [],
        ),
        "memory_of_the_caller": (
            program(plan([tensor([2, 3]), tensor([2, 3])], [0], [1], [kernel(0, 0, 1)])),
            [],
        ),
        "several_methods": (
            program(
                plan([tensor([2], at=0), tensor([2], at=64)], [0], [1], [kernel(0, 0, 1)], name="encode"),
                plan([tensor([3], at=0), tensor([3], at=64)], [0], [1], [kernel(0, 0, 1)], name="decode"),
                plan([value("Int", int_val=42)], [], [0], [], name="answer"),
            ),
            [],
        ),
        "several_chains": (
            program(
                plan(
                    [tensor([2], at=0), tensor([2], at=64)],
                    [0],
                    [1],
                    [kernel(0, 0, 1)],
                    [],
                    [kernel(0, 1, 1), kernel(0, 0, 1)],
                )
            ),
            [],
        ),
        "loop": (
            # Counts 3 down to 0. Each round traces a value and then moves one.
            program(
                plan(
                    [
                        tensor([2], at=0),
                        tensor([2], at=64),
                        value("Int", int_val=3),
                        value("Bool", bool_val=False),
                        value("Int", int_val=9),
                        value("Bool", bool_val=False),
                    ],
                    [0],
                    [1, 2, 4],
                    [
                        kernel(0, 0, 2, 1),
                        kernel(2, 2, 3),
                        move(2, 4),
                        jump_false(3, 5),
                        jump_false(5, 0),
                        kernel(0, 0, 4, 1),
                    ],
                )
            ),
            [],
        ),
        "jump_on_tensor": (
            program(
                plan(
                    [tensor([2], scalar_type="BOOL", at=0), tensor([2], at=64)],
                    [0],
                    [1],
                    [jump_false(0, 2), kernel(0, 0, 1), kernel(0, 0, 1)],
                )
            ),
            [],
        ),
        "free": (
            program(plan([tensor([2], at=0), tensor([2]), tensor([2], at=64)], [0], [2], [free(1), kernel(0, 0, 2)])),
            [],
        ),
        "delegates": (
            program(
                plan(
                    [tensor([2], at=0), tensor([2], at=64)],
                    [0],
                    [1],
                    [delegate(0, 0, 1), delegate(1, 1, 1)],
                    delegates=[ethos_u(1), ethos_u(0, compile_specs=[])],
                ),
                backend_delegate_data=[{"data": list(b"first")}, {"data": list(b"second")}],
            ),
            [],
        ),
        "constants": constants(),
        "two_planned_buffers": (
            program(
                plan(
                    [
                        tensor([2], at=0),
                        tensor([2], allocation_info={"memory_id": 2, "memory_offset_low": 8, "memory_offset_high": 0}),
                    ],
                    [0],
                    [1],
                    [kernel(0, 0, 1)],
                    non_const_buffer_sizes=[0, 16, 16],
                )
            ),
            [],
        ),
    }
    return result


def _edited(base: Json, edit: Callable[[Json], None]) -> Json:
    copied = copy.deepcopy(base)
    edit(copied)
    return copied


def _method(content: Json) -> Json:
    method: Json = content["execution_plan"][0]
    return method


def bad() -> dict[str, tuple[Json, Sequence[bytes]]]:
    """Programs with an error that a runtime must detect, at load or later."""
    result: dict[str, tuple[Json, Sequence[bytes]]] = {}

    def case(name: str, edit: Callable[[Json], None], base: tuple[Json, Sequence[bytes]] | None = None) -> None:
        content, segments = base or (one_kernel(), [])
        result[name] = (_edited(content, edit), segments)

    def tensor_case(name: str, **fields: Any) -> None:
        case(name, lambda content: _method(content)["values"][0]["val"].update(fields))

    def instructions_case(name: str, *instructions: Json) -> None:
        case(name, lambda content: _method(content)["chains"][0].update(instructions=list(instructions)))

    def values_case(name: str, *values: Json) -> None:
        case(name, lambda content: _method(content)["values"].extend(values))

    case("version_too_new", lambda content: content.update(version=1))
    case("no_constant_segment", lambda content: content.pop("constant_segment"))
    case("no_constant_offsets", lambda content: content["constant_segment"].update(offsets=[]))
    case("no_constants_in_segment_99", lambda content: content["constant_segment"].update(segment_index=99))
    case("no_methods", lambda content: content.update(execution_plan=[]))
    for field in ("name", "values", "inputs", "outputs", "chains", "operators", "delegates", "non_const_buffer_sizes"):
        case(f"no_{field}", lambda content, field=field: _method(content).pop(field))
    case("no_instructions", lambda content: _method(content)["chains"][0].pop("instructions"))
    case("empty_chain_list", lambda content: _method(content).update(chains=[]))
    for side in ("inputs", "outputs"):
        for index in (-1, 3, 2**31 - 1, -(2**31)):
            case(f"{side}_{index}", lambda content, side=side, index=index: _method(content).update({side: [index]}))
    case("input_is_a_list", lambda content: _make_input(content, value("TensorList", items=[2])))
    case("planned_buffer_too_small", lambda content: _method(content).update(non_const_buffer_sizes=[0, 16]))
    case("planned_buffer_missing", lambda content: _method(content).update(non_const_buffer_sizes=[0]))
    case("planned_buffer_negative", lambda content: _method(content).update(non_const_buffer_sizes=[0, -1]))

    tensor_case("storage_offset", storage_offset=1)
    tensor_case("rank_17", sizes=[1] * 17, dim_order=list(range(17)))
    tensor_case("negative_size", sizes=[2, -3])
    tensor_case("negative_size_after_zero", sizes=[0, -3])
    tensor_case("numel_overflow", sizes=[2**31 - 1] * 3, dim_order=[0, 1, 2])
    tensor_case("nbytes_overflow", sizes=[2**31 - 1, 2**31 - 1], scalar_type="DOUBLE")
    tensor_case("nbytes_beyond_signed", sizes=[2**31 - 1, 2**31 - 1])
    tensor_case("dim_order_short", dim_order=[0])
    tensor_case("dim_order_long", dim_order=[0, 1, 2])
    tensor_case("dim_order_repeats", dim_order=[0, 0])
    tensor_case("dim_order_out_of_range", dim_order=[0, 9])
    tensor_case("scalar_type_unknown", scalar_type=100)
    tensor_case("scalar_type_gap", scalar_type=9)
    tensor_case("scalar_type_negative", scalar_type=-1)
    tensor_case("scalar_type_undefined", scalar_type=21)
    tensor_case("memory_id_0", allocation_info={"memory_id": 0, "memory_offset_low": 0, "memory_offset_high": 0})
    tensor_case("memory_id_9", allocation_info={"memory_id": 9, "memory_offset_low": 0, "memory_offset_high": 0})
    tensor_case(
        "memory_offset_far", allocation_info={"memory_id": 1, "memory_offset_low": 1020, "memory_offset_high": 0}
    )
    tensor_case(
        "memory_offset_64_bit", allocation_info={"memory_id": 1, "memory_offset_low": 0, "memory_offset_high": 1}
    )
    tensor_case(
        "memory_offset_wraps",
        allocation_info={"memory_id": 1, "memory_offset_low": 2**32 - 8, "memory_offset_high": 2**32 - 1},
    )
    tensor_case("memory_offset_odd", allocation_info={"memory_id": 1, "memory_offset_low": 2, "memory_offset_high": 0})
    tensor_case("strides_overflow", sizes=[0, 2**16, 2**16], dim_order=[0, 1, 2])
    tensor_case("device_unknown", extra_tensor_info={"device_type": 7})
    tensor_case("location_unknown", extra_tensor_info={"location": 7})
    case(
        "buffer_device_99",
        lambda content: _method(content).update(non_const_buffer_device=[{"buffer_idx": 99, "device_type": "CPU"}]),
    )
    case(
        "buffer_device_unknown",
        lambda content: _method(content).update(non_const_buffer_device=[{"buffer_idx": 1, "device_type": 7}]),
    )
    tensor_case("mutable_without_segments", data_buffer_idx=1)
    tensor_case("shape_dynamism_unbound", shape_dynamism="DYNAMIC_UNBOUND")
    case(
        "constant_missing",
        lambda content: _method(content)["values"].append(tensor([1], data_buffer_idx=5)),
    )
    tensor_case("external_without_map", extra_tensor_info={"fully_qualified_name": "w", "location": "EXTERNAL"})
    case(
        "external_constant_without_map",
        lambda content: _method(content)["values"].append(
            tensor([1], extra_tensor_info={"fully_qualified_name": "w", "location": "EXTERNAL"})
        ),
    )
    case(
        "external_constant_without_name",
        lambda content: _method(content)["values"].append(tensor([1], extra_tensor_info={"location": "EXTERNAL"})),
    )

    values_case("value_without_content", {"val_type": "NONE"})
    values_case("string_null", value("String"))
    values_case("int_list_null", value("IntList"))
    values_case("double_list_null", value("DoubleList"))
    values_case("tensor_list_null", value("TensorList"))
    for kind in ("IntList", "TensorList", "OptionalTensorList"):
        for index in (-2, 99, 2**31 - 1):
            values_case(f"{kind}_item_{index}", value(kind, items=[index]))
    values_case("TensorList_item_that_is_an_int", value("TensorList", items=[1]))
    values_case("TensorList_item_that_comes_later", value("TensorList", items=[4]), tensor([1], at=0))
    values_case("OptionalTensorList_item_that_is_an_int", value("OptionalTensorList", items=[1]))
    values_case("TensorList_item_-1", value("TensorList", items=[-1]))

    case(
        "constant_boolean_2",
        lambda content: _method(content)["values"].append(tensor([4], scalar_type="BOOL", data_buffer_idx=1)),
        constants(),
    )
    case(
        "initial_boolean_2",
        lambda content: _method(content)["values"].append(
            tensor([4], at=256, scalar_type="BOOL", data_buffer_idx=1, extra_tensor_info={"fully_qualified_name": "b"})
        ),
        constants(),
    )
    instructions_case("kernel_operator_negative", kernel(-1, 0, 1, 2))
    instructions_case("kernel_operator_99", kernel(99, 0, 1, 2))
    instructions_case("kernel_argument_negative", kernel(0, 0, -1, 2))
    instructions_case("kernel_argument_99", kernel(0, 0, 99, 2))
    instructions_case("kernel_missing", kernel(3, 0, 1, 2))
    instructions_case("kernel_missing_twice", kernel(3, 0, 1, 2), kernel(0, 0, 2), kernel(3, 0))
    instructions_case("kernel_fails", kernel(0, 0, 2), kernel(1, 0, 1, 2))
    instructions_case("kernel_without_arguments", kernel(0))
    instructions_case("kernel_args_null", {"instr_args_type": "KernelCall", "instr_args": {"op_index": 0}})
    instructions_case("delegate_out_of_range", delegate(0, 0, 2))
    instructions_case("delegate_negative", delegate(-1, 0, 2))
    instructions_case("free_of_an_int", free(1))
    instructions_case("free_of_planned_memory", free(0))
    instructions_case("free_negative", free(-1))
    instructions_case("free_99", free(99))
    instructions_case("move_from_99", move(99, 0))
    instructions_case("move_to_99", move(0, 99))
    instructions_case("move_of_an_int_to_a_tensor", move(1, 0))
    for target in (99, -1):
        case(
            f"jump_to_{target}",
            lambda content, target=target: (
                _method(content)["values"].append(value("Bool", bool_val=False)),
                _method(content)["chains"][0].update(instructions=[jump_false(3, target)]),
            ),
        )
    instructions_case("jump_on_value_99", jump_false(99, 0))
    instructions_case("jump_on_an_int", jump_false(1, 0))
    instructions_case("jump_on_floats", jump_false(0, 0))
    instructions_case("instruction_empty", {"instr_args_type": "NONE"})
    case(
        "argument_without_memory",
        lambda content: (
            _method(content)["values"].append(tensor([2])),
            _method(content)["chains"][0].update(instructions=[kernel(0, 0, 3, 2)]),
        ),
    )
    case(
        "listed_tensor_without_memory",
        lambda content: (
            _method(content)["values"].extend([tensor([2]), value("TensorList", items=[0, 3])]),
            _method(content)["chains"][0].update(instructions=[kernel(0, 0, 4, 2)]),
        ),
    )
    case(
        "jump_on_a_tensor_without_memory",
        lambda content: (
            _method(content)["values"].append(tensor([2], scalar_type="BOOL")),
            _method(content)["chains"][0].update(instructions=[jump_false(3, 0)]),
        ),
    )
    case("operator_without_name", lambda content: _method(content)["operators"][0].pop("name"))
    case("operator_name_long", lambda content: _method(content)["operators"][0].update(name="x" * 300))
    case(
        "endless_loop",
        lambda content: (
            _method(content)["values"].append(value("Bool", bool_val=False)),
            _method(content)["chains"][0].update(instructions=[jump_false(3, 0)]),
        ),
    )

    def delegates_case(name: str, entry: Json, data: list[Json] | None = None) -> None:
        def edit(content: Json) -> None:
            _method(content).update(delegates=[entry])
            _method(content)["chains"][0].update(instructions=[delegate(0, 0, 2)])
            content["backend_delegate_data"] = [{"data": [1, 2, 3, 4]}] if data is None else data

        case(name, edit)

    delegates_case("backend_unknown", ethos_u(id="NoSuchBackend"))
    delegates_case("backend_id_null", {key: item for key, item in ethos_u().items() if key != "id"})
    delegates_case("backend_data_99", ethos_u(99))
    delegates_case("backend_segment_99", ethos_u(99, "SEGMENT"))
    delegates_case("backend_location_unknown", ethos_u(0, 7))  # type: ignore[arg-type]
    delegates_case("backend_processed_null", {key: item for key, item in ethos_u().items() if key != "processed"})
    delegates_case("backend_refuses", ethos_u(), [{"data": list(b"BAD!")}])
    delegates_case("backend_data_null", ethos_u(), [{}])
    delegates_case("spec_key_null", ethos_u(compile_specs=[{"value": [1]}]))
    delegates_case("spec_value_null", ethos_u(compile_specs=[{"key": "a"}]))
    delegates_case("specs_null", {key: item for key, item in ethos_u().items() if key != "compile_specs"})

    base = constants()
    case("constant_segment_99", lambda content: content["constant_segment"].update(segment_index=99), base)
    case("constant_offsets_short", lambda content: content["constant_segment"].update(offsets=[0, 0]), base)
    case("constant_offset_far", lambda content: content["constant_segment"].update(offsets=[0, 0, 36]), base)
    case("constant_offset_odd", lambda content: content["constant_segment"].update(offsets=[0, 2, 16]), base)
    case("constant_segment_odd", lambda content: content["segments"][0].update(offset=2), base)
    case("mutable_index_99", lambda c: _state(c).update(mutable_data_segments_idx=99), base)
    case("mutable_index_wraps", lambda c: _state(c).update(mutable_data_segments_idx=2**64 - 1), base)
    case("constant_offset_wraps", lambda content: content["constant_segment"].update(offsets=[0, 0, 2**64 - 4]), base)
    case("segment_offset_far", lambda content: content["segments"][0].update(offset=10**6), base)
    case("segment_offset_wraps", lambda content: content["segments"][0].update(offset=2**64 - 64), base)
    case("segment_size_far", lambda content: content["segments"][0].update(size=10**6), base)
    case("segment_size_huge", lambda content: content["segments"][0].update(size=2**64 - 1), base)
    case("mutable_segment_99", lambda content: content["mutable_data_segments"][0].update(segment_index=99), base)
    case("mutable_offset_far", lambda content: content["mutable_data_segments"][0].update(offsets=[0, 8]), base)
    case("mutable_offset_wraps", lambda c: c["mutable_data_segments"][0].update(offsets=[0, 2**64 - 8]), base)
    case("mutable_offsets_short", lambda content: content["mutable_data_segments"][0].update(offsets=[0]), base)
    case("mutable_segments_none", lambda content: content.pop("mutable_data_segments"), base)
    case("delegate_segment_far", lambda content: content["segments"][2].update(size=10**6), base)
    case("named_segment_99", lambda content: content["named_data"][0].update(segment_index=99), base)
    case("named_segment_far", lambda content: content["segments"][3].update(size=10**6), base)
    case("named_key_null", lambda content: content["named_data"][0].pop("key"), base)
    case("constants_twice", lambda content: content.update(constant_buffer=[{"storage": [1]}]), base)
    return result


def _state(content: Json) -> Json:
    """Return the entry of constants() about the mutable buffer."""
    extra: Json = _method(content)["values"][4]["val"]["extra_tensor_info"]
    return extra


def _make_input(content: Json, new: Json) -> None:
    _method(content)["values"].append(new)
    _method(content)["inputs"] = [len(_method(content)["values"]) - 1]


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
