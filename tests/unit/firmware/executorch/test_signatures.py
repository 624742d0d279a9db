# SPDX-License-Identifier: Apache-2.0
"""Calls that do not fit their kernel's signature are refused when the program is loaded; signatures are PyTorch's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
KERNELS = ROOT / "firmware" / "kernels"
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(KERNELS))

import programs  # noqa: E402
from kernel_list import read_kernels  # noqa: E402
from programs import Json, jump_false, kernel, move, plan, program, tensor, value  # noqa: E402

INVALID_TYPE, INVALID_PROGRAM = "0x13", "0x23"

# One value of each kind, at the index by which the calls below name it.
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
ITEM = value("Int", int_val=1)  # At index 11: of the list alone, for a primitive may change the others' kinds.
NAMES = {
    "Null": "None",
    **{kind: kind for kind in ("Tensor", "String", "Double", "Int", "Bool")},
    **{f"{kind}List": f"List{kind}" for kind in ("Bool", "Double", "Int", "Tensor", "OptionalTensor")},
}

SCALAR = ("Int", "Double", "Bool")
# What each argument may be, as PyTorch's schema says. The kernels may refuse what they are given when they run.
CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "aten::add.out": (("Tensor",), ("Tensor",), SCALAR, ("Tensor",), KINDS),
    "aten::cat.out": (("TensorList",), ("Int",), ("Tensor",), KINDS),
    "aten::clamp.out": (("Tensor",), ("Null", *SCALAR), ("Null", *SCALAR), ("Tensor",), KINDS),
    "aten::gelu.out": (("Tensor",), ("String",), ("Tensor",), KINDS),
    "aten::index.Tensor_out": (("Tensor",), ("OptionalTensorList",), ("Tensor",), KINDS),
    "aten::sum.IntList_out": (("Tensor",), ("Null", "IntList"), ("Bool",), ("Null", "Int"), ("Tensor",), KINDS),
    "aten::upsample_nearest2d.vec_out": (
        ("Tensor",), ("Null", "IntList"), ("Null", "DoubleList"), ("Tensor",), KINDS,
    ),
    "quantized_decomposed::quantize_per_tensor.out": (
        ("Tensor",), ("Double",), ("Int",), ("Int",), ("Int",), ("Int",), ("Tensor",), KINDS,
    ),
    "executorch_prim::et_view.default": (("Tensor",), ("IntList",), ("Tensor",)),
    "executorch_prim::et_copy_index.tensor": (("Tensor",), ("Tensor",), ("Int",)),
    "executorch_prim::mod.int": (("Int",), ("Int",), SCALAR),
    "executorch_prim::sym_not.Scalar": (("Bool",), SCALAR),
    "executorch_prim::neg.Scalar": (("Int", "Double"), SCALAR),
    "aten::_local_scalar_dense": (("Tensor",), SCALAR),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    content: Json
    code: str  # "0x0": the calls are good.
    said: str


def _operators(*names: str) -> list[Json]:
    return [{"name": name.partition(".")[0], "overload": name.partition(".")[2]} for name in names]


def _calls() -> Iterator[tuple[str, Case]]:
    for operator, arguments in CALLS.items():
        good = [KINDS.index(allowed[0]) if allowed is not KINDS else KINDS.index("Tensor") for allowed in arguments]

        def case(call: list[int], code: str, said: str, operator: str = operator) -> Case:
            method = plan([*VALUES.values(), ITEM], [], [], [kernel(0, *call)], operators=_operators(operator))
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
                call = [*good[:index], KINDS.index(kind), *good[index + 1 :]]
                fits = kind in allowed
                said = "" if fits else f"argument {index} of {operator} is {NAMES[kind]}, not "
                yield f"{short}_{index}_{kind}", case(call, "0x0" if fits else INVALID_TYPE, said)


def _results() -> Iterator[tuple[str, Case]]:
    """Primitives whose results are of another kind than the file's 0."""
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
    yield "number_decides_a_jump", case(INVALID_PROGRAM, "jumps on what is no bool", one, jump_false(4, 2))
    yield "sum_of_integers", case("0x0", "", one, kernel(4, 4, 2, 5), jump_false(9, 3))
    yield "float_as_an_integer", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double, not Int",
                                      kernel(1, 2, 3, 4), kernel(4, 4, 2, 5))  # fmt: skip
    yield "float_as_a_number", case("0x0", "", kernel(1, 2, 3, 4), kernel(5, 4, 8, 8))
    yield "float_of_a_float", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double, not Int",
                                   kernel(1, 2, 3, 4), kernel(1, 4, 2, 5), kernel(4, 5, 2, 6))  # fmt: skip
    # Sizes of a view, of which one is a result.
    yield "integer_as_an_item", case("0x0", "", kernel(1, 2, 6, 4), view, value_7=item)
    yield "float_as_an_item", case(INVALID_TYPE, "value 7: an item is a result of another kind",
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
    yield "jump_before_it_changes", case(INVALID_PROGRAM, "jumps on what is no bool",
                                         jump_false(4, 0), kernel(1, 3, 3, 4), value_4=true)  # fmt: skip
    yield "choice_of_two_kinds", case(INVALID_TYPE, "argument 2 of executorch_prim::sym_ite.Scalar is Double, not Int",
                                      kernel(0, 2, 3, 4), kernel(3, 4, 2, 3, 5))  # fmt: skip
    yield "choice", case("0x0", "", kernel(0, 2, 3, 4), kernel(3, 4, 3, 3, 5), kernel(5, 5, 8, 8))
    yield "boolean_compared_to_a_number", case(INVALID_TYPE, "argument 1 of executorch_prim::gt.Scalar is Int",
                                               kernel(0, 2, 3, 4), kernel(0, 4, 2, 5))  # fmt: skip
    yield "element_of_floats", case(INVALID_TYPE, "argument 0 of executorch_prim::mod.int is Double, not Int",
                                    kernel(6, 0, 4), kernel(4, 4, 2, 5))  # fmt: skip
    constant = tensor([2], data_buffer_idx=1)
    told = "argument 3 of aten::add.out is a constant, and would be written"
    yield "constant_read", case("0x0", "", kernel(8, 1, 1, 2, 0, 0), value_1=constant)
    yield "constant_written", case(INVALID_PROGRAM, told, kernel(8, 0, 0, 2, 1, 1), value_1=constant)
    told = "argument 3 of aten::split_copy.Tensor_out is a constant, and would be written"
    constants = {"value_1": constant, "value_7": value("TensorList", items=[0, 1])}
    yield "constant_written_in_a_list", case(INVALID_PROGRAM, told, kernel(9, 0, 2, 2, 7, 7), **constants)
    flag = value("Bool", bool_val=False)
    yield "in_place", case("0x0", "", kernel(7, 0, 1, 4, 0), value_4=flag)
    for name, result in (("another_tensor", 1), ("an_integer", 2)):
        yield f"in_place_into_{name}", case(INVALID_PROGRAM, "argument 3 of aten::copy_ is not what it works on",
                                            kernel(7, 0, 1, 4, result), value_4=flag)  # fmt: skip
    yield "element_of_booleans", case("0x0", "", kernel(6, 9, 4), jump_false(4, 2))


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return dict([*_calls(), *_results()])


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


# PyTorch's schema -> items of a signature.
_SCHEMA_TYPES = {
    "Tensor": "t",
    "int": "i",
    "SymInt": "i",
    "float": "d",
    "bool": "b",
    "number": "s",
    "Scalar": "s",
    "str": "S",
    "ScalarType": "i",
    "MemoryFormat": "i",
    "List[Tensor]": "l",
    "written Tensor": "w",
    "written List[Tensor]": "W",
    "List[Optional[Tensor]]": "o",
    "List[int]": "I",
    "List[float]": "D",
    "List[bool]": "B",
}

_SCHEMAS = """
import json, sys
import torch
found = {}
for name in json.load(sys.stdin):
    operator, _, overload = name.partition(".")
    schema = torch._C._get_schema(operator, overload)
    found[name] = [
        ("written " if argument.alias_info and argument.alias_info.is_write else "") + str(argument.type)
        for argument in schema.arguments
    ]
print(json.dumps(found))
"""


def _schemas(operators: list[str]) -> dict[str, list[str]]:
    """Return the types of each operator's arguments, as PyTorch knows them."""
    command = [sys.executable, "-c", _SCHEMAS]
    result = subprocess.run(command, input=json.dumps(operators), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    schemas: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return schemas


def _signature(types: list[str]) -> str:
    items = []
    for kind in types:
        optional = re.fullmatch(r"Optional\[(.*)\]", kind)
        items.append(f"?{_SCHEMA_TYPES[optional[1]]}" if optional else _SCHEMA_TYPES[kind])
    return "".join(items) + "*"


def test_the_signatures_of_all_kernels_are_pytorchs(tmp_path: Path) -> None:
    command = [sys.executable, str(KERNELS / "generate_registration.py"), "--all", "--out", str(tmp_path)]
    subprocess.run(command, check=True)
    source = (tmp_path / "operators.cpp").read_text(encoding="utf-8")
    signatures = re.findall(r'^    "(.*)\\0"', source, re.MULTILINE)
    wrappers = (tmp_path / "registration/RegisterCodegenUnboxedKernelsEverything.cpp").read_text(encoding="utf-8")
    generated = re.findall(r'Kernel\(\s*"([^"]+)"', wrappers)
    primitives = re.findall(r'Kernel\("([^"]+)"', source)
    assert len(signatures) == len(generated) + len(primitives) == len(read_kernels())
    known = _schemas([name for name in generated if name.startswith("aten::")])
    expected = {name: _signature(types) for name, types in known.items()}
    expected["aten::copy_"] = "wtb0"  # What it returns is its first argument.
    assert len(expected) > 180
    got = dict(zip(generated, signatures, strict=False))
    assert {name: got[name] for name in expected} == expected
    assert got["quantized_decomposed::quantize_per_tensor.out"] == "tdiiiiw*"
    assert got["dim_order_ops::_to_dim_order_copy.out"] == "tb?Iw*"
