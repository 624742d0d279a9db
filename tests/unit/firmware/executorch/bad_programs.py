# SPDX-License-Identifier: Apache-2.0
"""Hand-written programs with an error."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from good_programs import constants, one_kernel
from programs import Json, Programs, delegate, ethos_u, free, jump_false, kernel, move, tensor, value


def _edited(base: Json, edit: Callable[[Json], None]) -> Json:
    copied = copy.deepcopy(base)
    edit(copied)
    return copied


def _method(content: Json) -> Json:
    method: Json = content["execution_plan"][0]
    return method


def _state(content: Json) -> Json:
    """Return the entry of constants() about the mutable buffer."""
    extra: Json = _method(content)["values"][4]["val"]["extra_tensor_info"]
    return extra


def _make_input(content: Json, new: Json) -> None:
    _method(content)["values"].append(new)
    _method(content)["inputs"] = [len(_method(content)["values"]) - 1]


class _Cases:
    """Collects programs, each made of a good one by an edit."""

    def __init__(self) -> None:
        self.programs: Programs = {}

    def case(self, name: str, edit: Callable[[Json], None], base: tuple[Json, Sequence[bytes]] | None = None) -> None:
        """Add an edited copy of `base`, or of one_kernel()."""
        content, segments = base or (one_kernel(), [])
        self.programs[name] = (_edited(content, edit), segments)

    def tensor_case(self, name: str, **fields: Any) -> None:
        self.case(name, lambda content: _method(content)["values"][0]["val"].update(fields))

    def instructions_case(self, name: str, *instructions: Json) -> None:
        self.case(name, lambda content: _method(content)["chains"][0].update(instructions=list(instructions)))

    def values_case(self, name: str, *values: Json) -> None:
        self.case(name, lambda content: _method(content)["values"].extend(values))

    def delegates_case(self, name: str, entry: Json, data: list[Json] | None = None) -> None:
        def edit(content: Json) -> None:
            _method(content).update(delegates=[entry])
            _method(content)["chains"][0].update(instructions=[delegate(0, 0, 2)])
            content["backend_delegate_data"] = [{"data": [1, 2, 3, 4]}] if data is None else data

        self.case(name, edit)


def _methods(cases: _Cases) -> None:
    """Add errors in programs and methods."""
    cases.case("version_too_new", lambda content: content.update(version=1))
    cases.case("no_constant_segment", lambda content: content.pop("constant_segment"))
    cases.case("no_constant_offsets", lambda content: content["constant_segment"].update(offsets=[]))
    cases.case("no_constants_in_segment_99", lambda content: content["constant_segment"].update(segment_index=99))
    cases.case("no_methods", lambda content: content.update(execution_plan=[]))
    for field in ("name", "values", "inputs", "outputs", "chains", "operators", "delegates", "non_const_buffer_sizes"):
        cases.case(f"no_{field}", lambda content, field=field: _method(content).pop(field))
    cases.case("no_instructions", lambda content: _method(content)["chains"][0].pop("instructions"))
    cases.case("empty_chain_list", lambda content: _method(content).update(chains=[]))
    for side in ("inputs", "outputs"):
        for index in (-1, 3, 2**31 - 1, -(2**31)):
            cases.case(
                f"{side}_{index}", lambda content, side=side, index=index: _method(content).update({side: [index]})
            )
    cases.case("input_is_a_list", lambda content: _make_input(content, value("TensorList", items=[2])))
    cases.case("planned_buffer_too_small", lambda content: _method(content).update(non_const_buffer_sizes=[0, 16]))
    cases.case("planned_buffer_missing", lambda content: _method(content).update(non_const_buffer_sizes=[0]))
    cases.case("planned_buffer_negative", lambda content: _method(content).update(non_const_buffer_sizes=[0, -1]))


def _tensors(cases: _Cases) -> None:
    """Add errors in tensors."""
    cases.tensor_case("storage_offset", storage_offset=1)
    cases.tensor_case("rank_17", sizes=[1] * 17, dim_order=list(range(17)))
    cases.tensor_case("negative_size", sizes=[2, -3])
    cases.tensor_case("negative_size_after_zero", sizes=[0, -3])
    cases.tensor_case("numel_overflow", sizes=[2**31 - 1] * 3, dim_order=[0, 1, 2])
    cases.tensor_case("nbytes_overflow", sizes=[2**31 - 1, 2**31 - 1], scalar_type="DOUBLE")
    cases.tensor_case("nbytes_beyond_signed", sizes=[2**31 - 1, 2**31 - 1])
    cases.tensor_case("dim_order_short", dim_order=[0])
    cases.tensor_case("dim_order_long", dim_order=[0, 1, 2])
    cases.tensor_case("dim_order_repeats", dim_order=[0, 0])
    cases.tensor_case("dim_order_out_of_range", dim_order=[0, 9])
    cases.tensor_case("scalar_type_unknown", scalar_type=100)
    cases.tensor_case("scalar_type_gap", scalar_type=9)
    cases.tensor_case("scalar_type_negative", scalar_type=-1)
    cases.tensor_case("scalar_type_undefined", scalar_type=21)
    cases.tensor_case("memory_id_0", allocation_info={"memory_id": 0, "memory_offset_low": 0, "memory_offset_high": 0})
    cases.tensor_case("memory_id_9", allocation_info={"memory_id": 9, "memory_offset_low": 0, "memory_offset_high": 0})
    cases.tensor_case(
        "memory_offset_far", allocation_info={"memory_id": 1, "memory_offset_low": 1020, "memory_offset_high": 0}
    )
    cases.tensor_case(
        "memory_offset_64_bit", allocation_info={"memory_id": 1, "memory_offset_low": 0, "memory_offset_high": 1}
    )
    cases.tensor_case(
        "memory_offset_wraps",
        allocation_info={"memory_id": 1, "memory_offset_low": 2**32 - 8, "memory_offset_high": 2**32 - 1},
    )
    cases.tensor_case(
        "memory_offset_odd", allocation_info={"memory_id": 1, "memory_offset_low": 2, "memory_offset_high": 0}
    )
    cases.tensor_case("strides_overflow", sizes=[0, 2**16, 2**16], dim_order=[0, 1, 2])
    cases.tensor_case("device_unknown", extra_tensor_info={"device_type": 7})
    cases.tensor_case("location_unknown", extra_tensor_info={"location": 7})
    cases.case(
        "buffer_device_99",
        lambda content: _method(content).update(non_const_buffer_device=[{"buffer_idx": 99, "device_type": "CPU"}]),
    )
    cases.case(
        "buffer_device_unknown",
        lambda content: _method(content).update(non_const_buffer_device=[{"buffer_idx": 1, "device_type": 7}]),
    )
    cases.tensor_case("mutable_without_segments", data_buffer_idx=1)
    cases.tensor_case("shape_dynamism_unbound", shape_dynamism="DYNAMIC_UNBOUND")
    cases.case(
        "constant_missing",
        lambda content: _method(content)["values"].append(tensor([1], data_buffer_idx=5)),
    )
    cases.tensor_case("external_without_map", extra_tensor_info={"fully_qualified_name": "w", "location": "EXTERNAL"})
    cases.case(
        "external_constant_without_map",
        lambda content: _method(content)["values"].append(
            tensor([1], extra_tensor_info={"fully_qualified_name": "w", "location": "EXTERNAL"})
        ),
    )
    cases.case(
        "external_constant_without_name",
        lambda content: _method(content)["values"].append(tensor([1], extra_tensor_info={"location": "EXTERNAL"})),
    )


def _values(cases: _Cases) -> None:
    """Add errors in other values."""
    cases.values_case("value_without_content", {"val_type": "NONE"})
    cases.values_case("string_null", value("String"))
    cases.values_case("int_list_null", value("IntList"))
    cases.values_case("double_list_null", value("DoubleList"))
    cases.values_case("tensor_list_null", value("TensorList"))
    for kind in ("IntList", "TensorList", "OptionalTensorList"):
        for index in (-2, 99, 2**31 - 1):
            cases.values_case(f"{kind}_item_{index}", value(kind, items=[index]))
    cases.values_case("TensorList_item_that_is_an_int", value("TensorList", items=[1]))
    cases.values_case("TensorList_item_that_comes_later", value("TensorList", items=[4]), tensor([1], at=0))
    cases.values_case("OptionalTensorList_item_that_is_an_int", value("OptionalTensorList", items=[1]))
    cases.values_case("TensorList_item_-1", value("TensorList", items=[-1]))

    cases.case(
        "constant_boolean_2",
        lambda content: _method(content)["values"].append(tensor([4], scalar_type="BOOL", data_buffer_idx=1)),
        constants(),
    )
    cases.case(
        "initial_boolean_2",
        lambda content: _method(content)["values"].append(
            tensor([4], at=256, scalar_type="BOOL", data_buffer_idx=1, extra_tensor_info={"fully_qualified_name": "b"})
        ),
        constants(),
    )


def _calls(cases: _Cases) -> None:
    """Add errors in calls and moves."""
    cases.instructions_case("kernel_operator_negative", kernel(-1, 0, 1, 2))
    cases.instructions_case("kernel_operator_99", kernel(99, 0, 1, 2))
    cases.instructions_case("kernel_argument_negative", kernel(0, 0, -1, 2))
    cases.instructions_case("kernel_argument_99", kernel(0, 0, 99, 2))
    cases.instructions_case("kernel_missing", kernel(3, 0, 1, 2))
    cases.instructions_case("kernel_missing_twice", kernel(3, 0, 1, 2), kernel(0, 0, 2), kernel(3, 0))
    cases.instructions_case("kernel_fails", kernel(0, 0, 2), kernel(1, 0, 1, 2))
    cases.instructions_case("kernel_without_arguments", kernel(0))
    cases.instructions_case("kernel_args_null", {"instr_args_type": "KernelCall", "instr_args": {"op_index": 0}})
    cases.instructions_case("delegate_out_of_range", delegate(0, 0, 2))
    cases.instructions_case("delegate_negative", delegate(-1, 0, 2))
    cases.instructions_case("free_of_an_int", free(1))
    cases.instructions_case("free_of_planned_memory", free(0))
    cases.instructions_case("free_negative", free(-1))
    cases.instructions_case("free_99", free(99))
    cases.instructions_case("move_from_99", move(99, 0))
    cases.instructions_case("move_to_99", move(0, 99))
    cases.instructions_case("move_of_an_int_to_a_tensor", move(1, 0))


def _jumps(cases: _Cases) -> None:
    """Add errors in jumps, and other errors in chains."""
    for target in (99, -1):
        cases.case(
            f"jump_to_{target}",
            lambda content, target=target: (
                _method(content)["values"].append(value("Bool", bool_val=False)),
                _method(content)["chains"][0].update(instructions=[jump_false(3, target)]),
            ),
        )
    cases.instructions_case("jump_on_value_99", jump_false(99, 0))
    cases.instructions_case("jump_on_an_int", jump_false(1, 0))
    cases.instructions_case("jump_on_floats", jump_false(0, 0))
    cases.instructions_case("instruction_empty", {"instr_args_type": "NONE"})
    cases.case(
        "argument_without_memory",
        lambda content: (
            _method(content)["values"].append(tensor([2])),
            _method(content)["chains"][0].update(instructions=[kernel(0, 0, 3, 2)]),
        ),
    )
    cases.case(
        "listed_tensor_without_memory",
        lambda content: (
            _method(content)["values"].extend([tensor([2]), value("TensorList", items=[0, 3])]),
            _method(content)["chains"][0].update(instructions=[kernel(0, 0, 4, 2)]),
        ),
    )
    cases.case(
        "jump_on_a_tensor_without_memory",
        lambda content: (
            _method(content)["values"].append(tensor([2], scalar_type="BOOL")),
            _method(content)["chains"][0].update(instructions=[jump_false(3, 0)]),
        ),
    )
    cases.case("operator_without_name", lambda content: _method(content)["operators"][0].pop("name"))
    cases.case("operator_name_long", lambda content: _method(content)["operators"][0].update(name="x" * 300))
    cases.case(
        "endless_loop",
        lambda content: (
            _method(content)["values"].append(value("Bool", bool_val=False)),
            _method(content)["chains"][0].update(instructions=[jump_false(3, 0)]),
        ),
    )


def _delegates(cases: _Cases) -> None:
    """Add errors in delegates."""
    cases.delegates_case("backend_unknown", ethos_u(id="NoSuchBackend"))
    cases.delegates_case("backend_id_null", {key: item for key, item in ethos_u().items() if key != "id"})
    cases.delegates_case("backend_data_99", ethos_u(99))
    cases.delegates_case("backend_segment_99", ethos_u(99, "SEGMENT"))
    cases.delegates_case("backend_location_unknown", ethos_u(0, 7))  # type: ignore[arg-type]
    cases.delegates_case("backend_processed_null", {key: item for key, item in ethos_u().items() if key != "processed"})
    cases.delegates_case("backend_refuses", ethos_u(), [{"data": list(b"BAD!")}])
    cases.delegates_case("backend_data_null", ethos_u(), [{}])
    cases.delegates_case("spec_key_null", ethos_u(compile_specs=[{"value": [1]}]))
    cases.delegates_case("spec_value_null", ethos_u(compile_specs=[{"key": "a"}]))
    cases.delegates_case("specs_null", {key: item for key, item in ethos_u().items() if key != "compile_specs"})


def _segments(cases: _Cases) -> None:
    """Add errors in segments."""
    base = constants()
    cases.case("constant_segment_99", lambda content: content["constant_segment"].update(segment_index=99), base)
    cases.case("constant_offsets_short", lambda content: content["constant_segment"].update(offsets=[0, 0]), base)
    cases.case("constant_offset_far", lambda content: content["constant_segment"].update(offsets=[0, 0, 36]), base)
    cases.case("constant_offset_odd", lambda content: content["constant_segment"].update(offsets=[0, 2, 16]), base)
    cases.case("constant_segment_odd", lambda content: content["segments"][0].update(offset=2), base)
    cases.case("mutable_index_99", lambda c: _state(c).update(mutable_data_segments_idx=99), base)
    cases.case("mutable_index_wraps", lambda c: _state(c).update(mutable_data_segments_idx=2**64 - 1), base)
    cases.case(
        "constant_offset_wraps", lambda content: content["constant_segment"].update(offsets=[0, 0, 2**64 - 4]), base
    )
    cases.case("segment_offset_far", lambda content: content["segments"][0].update(offset=10**6), base)
    cases.case("segment_offset_wraps", lambda content: content["segments"][0].update(offset=2**64 - 64), base)
    cases.case("segment_size_far", lambda content: content["segments"][0].update(size=10**6), base)
    cases.case("segment_size_huge", lambda content: content["segments"][0].update(size=2**64 - 1), base)
    cases.case("mutable_segment_99", lambda content: content["mutable_data_segments"][0].update(segment_index=99), base)
    cases.case("mutable_offset_far", lambda content: content["mutable_data_segments"][0].update(offsets=[0, 8]), base)
    cases.case("mutable_offset_wraps", lambda c: c["mutable_data_segments"][0].update(offsets=[0, 2**64 - 8]), base)
    cases.case("mutable_offsets_short", lambda content: content["mutable_data_segments"][0].update(offsets=[0]), base)
    cases.case("mutable_segments_none", lambda content: content.pop("mutable_data_segments"), base)
    cases.case("delegate_segment_far", lambda content: content["segments"][2].update(size=10**6), base)
    cases.case("named_segment_99", lambda content: content["named_data"][0].update(segment_index=99), base)
    cases.case("named_segment_far", lambda content: content["segments"][3].update(size=10**6), base)
    cases.case("named_key_null", lambda content: content["named_data"][0].pop("key"), base)
    cases.case("constants_twice", lambda content: content.update(constant_buffer=[{"storage": [1]}]), base)


def bad() -> Programs:
    """Return programs with an error that a runtime must detect, at load or later."""
    cases = _Cases()
    for add in (_methods, _tensors, _values, _calls, _jumps, _delegates, _segments):
        add(cases)
    return cases.programs
