# SPDX-License-Identifier: Apache-2.0
"""The list of kernels has one reader, and its errors name file, operator and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.kernels.kernel_list import (
    DTYPES,
    exact_operators,
    missing_dtypes,
    missing_kernels,
    read_kernels,
)

ADD = """\
- op: add.out
  function: add_out
  source: add.cpp
  dtypes: [integers, float32, int8]
  exact: true
"""
QUANTIZE = """\
- func: quantized_decomposed::quantize_per_tensor.out(Tensor input, *, Tensor(a!) out) -> Tensor(a!)
  function: quantize_per_tensor_out
  source: add.cpp
  dtypes: floats
"""
PRIMITIVE = """\
- op: executorch_prim::add.Scalar
  function: Add
  source: add.cpp
  signature: "nn>n"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "add.cpp").touch()
    (tmp_path / "kernels.yaml").write_text(ADD + QUANTIZE, encoding="utf-8")
    (tmp_path / "primitives.yaml").write_text(PRIMITIVE, encoding="utf-8")
    return tmp_path


def test_each_entry_of_both_lists_is_a_kernel(folder: Path) -> None:
    add, quantize, primitive = read_kernels(folder).values()
    assert (add.operator, add.function, add.source) == ("aten::add.out", "add_out", "add.cpp")
    assert add.dtypes == ("uint8", "int8", "int16", "int32", "int64", "float32")
    assert add.declaration == {"op": "add.out"}
    assert quantize.operator == "quantized_decomposed::quantize_per_tensor.out"
    assert quantize.dtypes == ("float16", "float32", "float64")
    assert (primitive.operator, primitive.signature) == ("executorch_prim::add.Scalar", "nn>n")
    assert primitive.dtypes == tuple(DTYPES)
    assert [kernel.primitive for kernel in (add, quantize, primitive)] == [False, False, True]
    assert [kernel.exact for kernel in (add, quantize, primitive)] == [True, False, False]


def test_an_operator_is_exact_if_the_kernel_of_each_overload_is(folder: Path) -> None:
    assert exact_operators(read_kernels(folder)) == {"aten.add"}
    scalar = ADD.replace("add.out", "add.Scalar_out").replace("  exact: true\n", "")
    for text in (ADD + scalar, scalar + ADD):
        (folder / "kernels.yaml").write_text(text, encoding="utf-8")
        assert exact_operators(read_kernels(folder)) == frozenset()


def test_all_overloads_of_our_operators_say_the_same_about_exactness() -> None:
    """Otherwise the key of one overload has no effect."""
    kernels = read_kernels()
    exact = exact_operators(kernels)
    stems = {kernel.operator.replace("::", ".").rsplit(".", 1)[0] for kernel in kernels.values() if kernel.exact}
    assert stems - exact == set()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("  exact: true", "  exat: true", "add.out: unknown key exat"),
        ("  exact: true", "  exact: 1", "add.out: exact is 1"),
        ("integers", "ints", "add.out: no dtype or group ints"),
        ("source: add.cpp", "source: sub.cpp", "add.out: no source "),
        ("  function: add_out\n", "", "add.out: no key function"),
        ("  dtypes: [integers, float32, int8]\n", "", "add.out: no key dtypes"),
        ("- op: add.out\n  function", "- function", "no key func"),
        (ADD, ADD + ADD, "aten::add.out twice"),
        (ADD, "add: {}\n", "cannot be read"),
        (ADD + QUANTIZE, "add: {}\n", "is not a list of entries"),
    ],
)
def test_a_wrong_entry_is_named(folder: Path, old: str, new: str, complaint: str) -> None:
    file = folder / "kernels.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_kernels(folder)
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_operators_and_dtypes_without_a_kernel_are_found(folder: Path) -> None:
    kernels = read_kernels(folder)
    assert missing_kernels(["aten::sort.values", "aten::add.out"], kernels) == ["aten::sort.values"]
    calls = {"aten::add.out": ("float16", "int8", "bool"), "executorch_prim::add.Scalar": ()}
    assert missing_dtypes(calls, kernels) == {"aten::add.out": ("float16", "bool")}
