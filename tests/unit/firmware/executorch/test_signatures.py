# SPDX-License-Identifier: Apache-2.0
"""Calls that do not fit their kernel's signature are refused at load."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import programs  # noqa: E402
from programs import Json, jump_false, kernel, move, plan, program, tensor, value  # noqa: E402

INVALID_STATE, INVALID_TYPE, INVALID_PROGRAM = "0x2", "0x13", "0x23"

# One value of each kind. Calls refer to them by index.
VALUES = {
    "Null": value("Null"),
    "Tensor": tensor([2, 3], at=0),
    "String": value("String", string_val="none"),
    "Double": value("Double", double_val=0.5),
    "Int": value("Int", int_val=1),
    "Bool": value("Bool", bool_val=False),
    "BoolList": value("BoolList", items=[False]),
    "DoubleList": value("DoubleList", items=[1.0, 1.0]),
    "IntList": value("IntList", items=[11, 11]),
    "TensorList": value("TensorList", items=[1, 1]),
    "OptionalTensorList": value("OptionalTensorList", items=[-1]),
}
KINDS = tuple(VALUES)
ITEM = value("Int", int_val=1)  # Index 11. A primitive may change the kinds of the other values.
OUT_INDEX, OUT = 12, tensor([2, 3], at=64)  # A kernel may not write a tensor that it reads.
NAMES = {
    "Null": "None",
    **{kind: kind for kind in ("Tensor", "String", "Double", "Int", "Bool")},
    **{f"{kind}List": f"List{kind}" for kind in ("Bool", "Double", "Int", "Tensor", "OptionalTensor")},
}

SCALAR = ("Int", "Double", "Bool")
WRITTEN = ("Tensor", "written")
# The kinds that PyTorch's schema allows for each argument. A kernel may still refuse a value when
# it runs.
CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "aten::add.out": (("Tensor",), ("Tensor",), SCALAR, WRITTEN, KINDS),
    "aten::cat.out": (("TensorList",), ("Int",), WRITTEN, KINDS),
    "aten::clamp.out": (("Tensor",), ("Null", *SCALAR), ("Null", *SCALAR), WRITTEN, KINDS),
    "aten::gelu.out": (("Tensor",), ("String",), WRITTEN, KINDS),
    "aten::index.Tensor_out": (("Tensor",), ("OptionalTensorList",), WRITTEN, KINDS),
    "aten::sum.IntList_out": (("Tensor",), ("Null", "IntList"), ("Bool",), ("Null", "Int"), WRITTEN, KINDS),
    "aten::upsample_nearest2d.vec_out": (
        ("Tensor",), ("Null", "IntList"), ("Null", "DoubleList"), WRITTEN, KINDS,
    ),
    "quantized_decomposed::quantize_per_tensor.out": (
        ("Tensor",), ("Double",), ("Int",), ("Int",), ("Int",), ("Int",), WRITTEN, KINDS,
    ),
    "executorch_prim::et_view.default": (("Tensor",), ("IntList",), ("Tensor",)),
    "executorch_prim::et_copy_index.tensor": (WRITTEN, ("Tensor",), ("Int",)),
    "executorch_prim::mod.int": (("Int",), ("Int",), SCALAR),
    "executorch_prim::sym_not.Scalar": (("Bool",), SCALAR),
    "executorch_prim::neg.Scalar": (("Int", "Double"), SCALAR),
    "aten::_local_scalar_dense": (("Tensor",), SCALAR),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    content: Json
    code: str  # "0x0": the calls are valid.
    said: str


def _operators(*names: str) -> list[Json]:
    return [{"name": name.partition(".")[0], "overload": name.partition(".")[2]} for name in names]


def _index(kind: str, allowed: tuple[str, ...]) -> int:
    """Return the index of a value of this kind."""
    return OUT_INDEX if kind == "Tensor" and allowed in (WRITTEN, KINDS) else KINDS.index(kind)


def _calls() -> Iterator[tuple[str, Case]]:
    for operator, arguments in CALLS.items():
        good = [_index("Tensor" if allowed is KINDS else allowed[0], allowed) for allowed in arguments]

        def case(call: list[int], code: str, said: str, operator: str = operator) -> Case:
            method = plan([*VALUES.values(), ITEM, OUT], [], [], [kernel(0, *call)], operators=_operators(operator))
            return Case(program(method), code, said)

        short = operator.partition("::")[2].replace(".", "_")
        for count in (0, len(good) - 1, len(good) + 1):
            call = [*good, good[-1]][:count]
            yield (
                f"{short}_{count}",
                case(call, INVALID_PROGRAM, f"{count} arguments for {operator}, which has {len(good)}"),
            )
        for index, allowed in enumerate(arguments):
            for kind in KINDS:
                call = [*good[:index], _index(kind, allowed), *good[index + 1 :]]
                fits = kind in allowed
                said = "" if fits else f"argument {index} of {operator} is {NAMES[kind]}, not "
                yield f"{short}_{index}_{kind}", case(call, "0x0" if fits else INVALID_TYPE, said)


def _results() -> Iterator[tuple[str, Case]]:
    """Primitives whose results have another kind than the 0 in the file."""
    operators = _operators(
        "executorch_prim::gt.Scalar",  # 0
        "executorch_prim::add.Scalar",  # 1
        "aten::view_copy.out",  # 2
        "executorch_prim::sym_ite.Scalar",  # 3
        "executorch_prim::mod.int",  # 4
        "aten::scalar_tensor.out",  # 5
        "aten::_local_scalar_dense",  # 6
        "aten::copy_",  # 7
        "aten::add.out",  # 8
        "aten::split_copy.Tensor_out",  # 9
    )
    values = [
        tensor([2], at=0),
        tensor([2], at=16),
        value("Int", int_val=2),
        value("Double", double_val=2.0),
        value("Int", int_val=0),  # 4, 5, 6: results
        value("Int", int_val=0),
        value("Int", int_val=0),
        value("IntList", items=[2]),
        tensor([], at=32),
        tensor([1], at=64, scalar_type="BOOL"),
    ]
    view, one = kernel(2, 0, 7, 1, 1), kernel(1, 2, 2, 4)
    item, true = value("IntList", items=[4]), value("Bool", bool_val=True)

    def case(code: str, said: str, *instructions: Json, **more: Json) -> Case:
        changed = [more.get(f"value_{index}", content) for index, content in enumerate(values)]
        method = plan(changed, [], [], list(instructions), operators=operators)
        constants = {
            "segments": [{"offset": 0, "size": 8}],
            "constant_segment": {"segment_index": 0, "offsets": [0, 0]},
        }
        return Case(program(method, **constants), code, said)

    yield "comparison_decides_a_jump", case("0x0", "", kernel(0, 2, 3, 4), jump_false(4, 2))
    yield "number_decides_a_jump", case(INVALID_PROGRAM, "jump condition is not a bool", one, jump_false(4, 2))
    yield "sum_of_integers", case("0x0", "", one, kernel(4, 4, 2, 5), jump_false(9, 3))
    yield "float_as_an_integer", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double, not Int",
                                      kernel(1, 2, 3, 4), kernel(4, 4, 2, 5))  # fmt: skip
    yield "float_as_a_number", case("0x0", "", kernel(1, 2, 3, 4), kernel(5, 4, 8, 8))
    yield "float_of_a_float", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double, not Int",
                                   kernel(1, 2, 3, 4), kernel(1, 4, 2, 5), kernel(4, 5, 2, 6))  # fmt: skip
    # The sizes of a view. One of them is a result.
    yield "integer_as_an_item", case("0x0", "", kernel(1, 2, 6, 4), view, value_7=item)
    yield "float_as_an_item", case(INVALID_TYPE, "value 7: an item gets a result of another kind",
                                   kernel(1, 3, 3, 4), view, value_7=item)  # fmt: skip
    yield "used_before_it_becomes_a_float", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double",
                                                 kernel(4, 4, 2, 5), kernel(1, 3, 3, 4))  # fmt: skip
    yield "two_kinds_of_results", case(INVALID_TYPE, "argument 2 of executorch_prim::add.Scalar is Bool, not Int",
                                       one, kernel(0, 2, 3, 4))  # fmt: skip
    yield "a_tensor_as_a_result", case(INVALID_TYPE, "argument 2 of executorch_prim::add.Scalar is Tensor, not Int",
                                       kernel(1, 2, 2, 0))  # fmt: skip
    yield "moved_result", case("0x0", "", kernel(0, 2, 3, 4), move(4, 5), jump_false(5, 3))
    yield "moved_result_as_an_integer", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Bool, not Int",
                                             kernel(0, 2, 3, 4), move(4, 5), kernel(4, 5, 2, 6))  # fmt: skip
    yield "moved_before_it_changes", case(INVALID_PROGRAM, "moves a result to a value of another kind",
                                          move(4, 5), kernel(0, 2, 3, 4))  # fmt: skip
    yield "jump_before_it_changes", case(INVALID_PROGRAM, "jump condition is not a bool",
                                         jump_false(4, 0), kernel(1, 3, 3, 4), value_4=true)  # fmt: skip
    yield "choice_of_two_kinds", case(INVALID_TYPE, "argument 2 of executorch_prim::sym_ite.Scalar is Double, not Int",
                                      kernel(0, 2, 3, 4), kernel(3, 4, 2, 3, 5))  # fmt: skip
    yield "choice", case("0x0", "", kernel(0, 2, 3, 4), kernel(3, 4, 3, 3, 5), kernel(5, 5, 8, 8))
    yield "boolean_compared_to_a_number", case(INVALID_TYPE, "argument 1 of executorch_prim::gt.Scalar is Int",
                                               kernel(0, 2, 3, 4), kernel(0, 4, 2, 5))  # fmt: skip
    yield "element_of_floats", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double, not Int",
                                    kernel(6, 0, 4), kernel(4, 4, 2, 5))  # fmt: skip
    constant = tensor([2], data_buffer_idx=1)
    told = "argument 3 of aten::add.out is a constant, but would be written"
    yield "constant_read", case("0x0", "", kernel(8, 1, 1, 2, 0, 0), value_1=constant)
    yield "constant_written", case(INVALID_PROGRAM, told, kernel(8, 0, 0, 2, 1, 1), value_1=constant)
    told = "argument 3 of aten::split_copy.Tensor_out is a constant, but would be written"
    constants = {"value_1": constant, "value_7": value("TensorList", items=[0, 1])}
    yield "constant_written_in_a_list", case(INVALID_PROGRAM, told, kernel(9, 0, 2, 2, 7, 7), **constants)
    flag = value("Bool", bool_val=False)
    yield "in_place", case("0x0", "", kernel(7, 0, 1, 4, 0), value_4=flag)
    for name, result in (("another_tensor", 1), ("an_integer", 2)):
        yield f"in_place_into_{name}", case(INVALID_PROGRAM, "argument 3 of aten::copy_ must be argument 0 itself",
                                            kernel(7, 0, 1, 4, result), value_4=flag)  # fmt: skip
    yield "element_of_booleans", case("0x0", "", kernel(6, 9, 4), jump_false(4, 2))


def _overlaps() -> Iterator[tuple[str, Case]]:
    """Written arguments that share memory with others. Each tensor has two integers of 8 bytes."""
    operators = _operators(
        "aten::index_select.out",  # 0
        "aten::gather.out",  # 1
        "aten::scatter.value_out",  # 2
        "aten::index_put.out",  # 3
        "aten::index.Tensor_out",  # 4
        "aten::embedding.out",  # 5
        "aten::topk.values",  # 6
        "aten::split_copy.Tensor_out",  # 7
        "aten::copy_",  # 8
        "aten::cat.out",  # 9
        "executorch_prim::et_copy_index.tensor",  # 10
    )
    values = [
        tensor([2], scalar_type="LONG", at=0),
        tensor([2], scalar_type="LONG", at=64),
        tensor([2], scalar_type="LONG", at=72),  # 2: its first element is the last of 1
        tensor([2], scalar_type="LONG", at=80),  # 3: begins where 1 ends
        tensor([2], scalar_type="LONG", at=64),  # 4: the memory of 1
        tensor([0], scalar_type="LONG", at=64),  # 5: no elements
        value("Int", int_val=0),  # 6
        value("Bool", bool_val=False),  # 7
        value("OptionalTensorList", items=[-1, 1]),  # 8
        value("TensorList", items=[0, 1]),  # 9
        value("TensorList", items=[1, 2]),  # 10: share an element
        value("TensorList", items=[1, 3]),  # 11
    ]
    calls = {
        "index_select": lambda out: kernel(0, 0, 6, 1, out, out),
        "gather": lambda out: kernel(1, 0, 6, 1, 7, out, out),
        "scatter": lambda out: kernel(2, 0, 6, 1, 6, out, out),
        "index_put": lambda out: kernel(3, 0, 8, 0, 7, out, out),
        "index": lambda out: kernel(4, 0, 8, out, out),
        "embedding": lambda out: kernel(5, 0, 1, 6, 7, 7, out, out),
        "topk_of": lambda out: kernel(6, 1, 6, 6, 7, 7, out, 0, 9),
        "topk_into": lambda out: kernel(6, 0, 6, 6, 7, 7, 1, out, 9),
        "split": lambda out: kernel(7, out, 6, 6, 9, 9),
        "in_place": lambda out: kernel(8, out, 1, 7, out),
        "cat": lambda out: kernel(9, 9, 6, out, out),
        "copy_index": lambda out: kernel(10, out, 1, 6),
    }
    for name, call in calls.items():
        for out in range(1, 6):
            overlaps = out in (1, 2, 4)
            method = plan(values, [], [], [call(out)], operators=operators)
            said = "would be written and shares memory with another argument" if overlaps else ""
            yield f"{name}_{out}", Case(program(method), INVALID_PROGRAM if overlaps else "0x0", said)
    for items in (10, 11):
        method = plan(values, [], [], [kernel(7, 0, 6, 6, items, items)], operators=operators)
        said = "argument 3 of aten::split_copy.Tensor_out would be written and shares memory with another argument"
        yield f"list_{items}", Case(program(method), *((INVALID_PROGRAM, said) if items == 10 else ("0x0", "")))


def _byte_overlaps() -> Iterator[tuple[str, Case]]:
    """An argument at every distance from the output. Both have at least one byte."""
    operators = _operators("aten::index_select.out")
    begin = 32
    for bytes_read, bytes_written in ((1, 4), (4, 1), (1, 1), (3, 5)):
        for at in range(begin - bytes_read - 1, begin + bytes_written + 2):
            values = [
                tensor([bytes_read], scalar_type="BYTE", at=at),
                tensor([1], scalar_type="LONG", at=64),
                tensor([bytes_written], scalar_type="BYTE", at=begin),
                value("Int", int_val=0),
            ]
            overlaps = at < begin + bytes_written and begin < at + bytes_read
            method = plan(values, [], [], [kernel(0, 0, 3, 1, 2, 2)], operators=operators)
            said = (
                "argument 3 of aten::index_select.out would be written and shares memory with another argument"
                if overlaps
                else ""
            )
            name = f"{bytes_read}_bytes_at_{at}_of_{bytes_written}"
            yield name, Case(program(method), INVALID_PROGRAM if overlaps else "0x0", said)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return dict([*_calls(), *_results(), *_overlaps(), *_byte_overlaps()])


def test_a_call_that_does_not_fit_is_refused_at_load_with_one_line(
    differential_build: Path, tmp_path: Path, cases: dict[str, Case]
) -> None:
    contents = programs.Assembler(tmp_path).assemble({name: (case.content, [bytes(8)]) for name, case in cases.items()})
    for name, content in contents.items():
        (tmp_path / f"{name}.pte").write_bytes(content)
    files = [str(tmp_path / f"{name}.pte") for name in cases]
    command = [str(differential_build / "probe_signed"), *files]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    wrong = []
    for part in result.stdout.split("=== ")[1:]:
        name = Path(part.partition("\n")[0]).stem
        tried = part.partition("with a pool of")[0]
        codes = re.findall(r"^load_method (0x[0-9a-f]+)$", tried, re.MULTILINE)
        if codes != [cases[name].code] or "crashed" in part:
            wrong.append(f"{name}: {codes} instead of {cases[name].code}")
    assert len(result.stdout.split("=== ")) == len(cases) + 1 > 500
    assert wrong == [], "\n".join(wrong)
    lines = [line for line in result.stderr.splitlines() if line.startswith("Method forward")]
    expected = [case.said for case in cases.values() if case.said]
    missing = [said for said in expected if not any(said in line for line in lines)]
    assert missing == [], f"not said: {missing}"
    assert len(lines) == len(expected)


# Views and moves. Such values share memory only while the method runs.
LENT = {
    "view_of_what_is_written": (INVALID_STATE, [kernel(0, 0, 2, 1), kernel(1, 3, 4, 1, 0, 0)]),
    "view_of_a_view": (INVALID_STATE, [kernel(0, 0, 2, 1), kernel(0, 1, 2, 5), kernel(1, 3, 4, 5, 0, 0)]),
    "written_through_a_view": (INVALID_STATE, [kernel(0, 0, 2, 1), kernel(1, 3, 4, 0, 1, 1)]),
    "moved": (INVALID_STATE, [move(0, 6), kernel(1, 3, 4, 6, 0, 0)]),
    "in_a_list": (INVALID_STATE, [kernel(0, 0, 2, 1), kernel(2, 3, 7, 0, 0)]),
    "view_of_another": ("0x0", [kernel(0, 6, 2, 1), kernel(1, 3, 4, 1, 0, 0)]),
    "moved_another": ("0x0", [move(8, 6), kernel(1, 3, 4, 6, 0, 0)]),
}


def test_memory_that_is_lent_twice_is_refused_when_it_would_be_written(
    differential_build: Path, tmp_path: Path
) -> None:
    operators = _operators("executorch_prim::et_view.default", "aten::index_select.out", "aten::index.Tensor_out")
    two = {"scalar_type": "LONG"}
    values = [
        tensor([2], at=0, **two),
        tensor([2], **two),  # 1: lent
        value("IntList", items=[9]),
        tensor([2], at=16, **two),  # 3: the tensor to select from
        value("Int", int_val=0),
        tensor([2], **two),  # 5: lent
        tensor([2], at=32, **two),
        value("OptionalTensorList", items=[1]),
        tensor([2], at=48, **two),
        value("Int", int_val=2),
    ]
    programs_of = {
        name: (program(plan(values, [], [0], instructions, operators=operators)), [])
        for name, (_, instructions) in LENT.items()
    }
    contents = programs.Assembler(tmp_path).assemble(programs_of)
    for name, content in contents.items():
        (tmp_path / f"{name}.pte").write_bytes(content)
    command = [str(differential_build / "probe_signed"), *(str(tmp_path / f"{name}.pte") for name in LENT)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    codes = {
        Path(part.partition("\n")[0]).stem: set(re.findall(r"^execute (0x[0-9a-f]+)$", part, re.MULTILINE))
        for part in result.stdout.split("=== ")[1:]
    }
    assert codes == {name: {code} for name, (code, _) in LENT.items()}
    assert "would be written and shares memory with argument" in result.stderr


def test_a_result_that_is_read_before_its_call_is_the_zero_of_the_file(
    differential_build: Path, tmp_path: Path
) -> None:
    """A jump skips the comparison whose boolean the next jump tests. The second jump skips a
    division by zero."""
    operators = _operators("executorch_prim::gt.Scalar", "executorch_prim::mod.int")
    values = [value("Int", int_val=number) for number in (2, 0, 0, 0)] + [value("Bool", bool_val=False)]
    compare, divide = kernel(0, 0, 2, 1), kernel(1, 0, 2, 3)
    codes = {}
    for name, begin in {"left out": jump_false(4, 2), "done": kernel(0, 0, 2, 1)}.items():
        method = program(plan(values, [], [3], [begin, compare, jump_false(1, 4), divide], operators=operators))
        file = tmp_path / "program.pte"
        file.write_bytes(programs.Assembler(tmp_path).assemble({"program": (method, [])})["program"])
        command = [str(differential_build / "probe_signed"), str(file)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        codes[name] = set(re.findall(r"^execute (0x[0-9a-f]+)$", said, re.MULTILINE))
    assert codes["left out"] == {"0x0"} and "0x0" not in codes["done"] and codes["done"]


def test_the_kernels_of_an_image_are_registered_once(differential_build: Path) -> None:
    """A second table would replace the signatures of the first one."""
    done = subprocess.run([differential_build / "registered_twice"], check=False, capture_output=True, text=True)
    assert done.stdout == "registered\n"
    assert done.returncode < 0, "the second registration was not refused"


def test_a_full_registry_says_which_limit_to_raise(differential_build: Path) -> None:
    command = [differential_build / "registered_twice", "many"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    limit = "raise PILOTLIGHT_EXECUTORCH_MAX_KERNELS from 64"
    assert f"No room for 64 kernels beside 1: {limit}" in done.stderr
    assert done.returncode < 0
