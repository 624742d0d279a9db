# SPDX-License-Identifier: Apache-2.0
"""The signatures that are read from the generated wrappers are PyTorch's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.errors import BuildFailed
from pilotlight.kernels.kernel_list import read_kernels
from pilotlight.kernels.registration import write_registration
from pilotlight.kernels.wrappers import read_wrappers

# Type in PyTorch's schema -> item of a signature.
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
    write_registration(None, tmp_path)
    source = (tmp_path / "operators.cpp").read_text(encoding="utf-8")
    signatures = re.findall(r'^    "(.*)\\0"', source, re.MULTILINE)
    wrappers = (tmp_path / "registration/RegisterCodegenUnboxedKernelsEverything.cpp").read_text(encoding="utf-8")
    generated = re.findall(r'Kernel\(\s*"([^"]+)"', wrappers)
    primitives = re.findall(r'Kernel\("([^"]+)"', source)
    assert len(signatures) == len(generated) + len(primitives) == len(read_kernels())
    known = _schemas([name for name in generated if name.startswith("aten::")])
    expected = {name: _signature(types) for name, types in known.items()}
    expected["aten::copy_"] = "wtb0"  # It returns its first argument.
    assert len(expected) > 180
    got = dict(zip(generated, signatures, strict=False))
    assert {name: got[name] for name in expected} == expected
    assert got["quantized_decomposed::quantize_per_tensor.out"] == "tdiiiiw*"
    assert got["dim_order_ops::_to_dim_order_copy.out"] == "tb?Iw*"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('Kernel("aten::x.out")', "another version"),
        (
            'Kernel(\n"aten::x.out", stack.size() == 2 EValue& a = *stack[0]; a.to<Dimname>();\n    ),',
            "takes argument 0 by to<Dimname>()",
        ),
    ],
)
def test_a_wrapper_that_is_not_understood_fails_the_build(text: str, complaint: str) -> None:
    with pytest.raises(BuildFailed, match=re.escape(complaint)):
        read_wrappers(text)
