# SPDX-License-Identifier: Apache-2.0
"""Reads kernels.yaml and primitives.yaml: the operators that have a kernel, with their dtypes and sources.

An entry of kernels.yaml has these keys:

    op or func  the operator as upstream's functions.yaml spells it: op for an ATen operator, func with the schema for
                any other. An entry may have more keys of that file.
    function    the C++ function
    source      the source in this folder
    dtypes      the dtypes that each tensor argument may have: names, or one of the groups below

An entry of primitives.yaml has op, function, source and signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
KERNELS = FOLDER / "kernels.yaml"
PRIMITIVES = FOLDER / "primitives.yaml"

# Name in the .pte reader -> enumerator of executorch::aten::ScalarType, and its number.
SCALAR_TYPES = {
    "uint8": ("Byte", 0),
    "int8": ("Char", 1),
    "int16": ("Short", 2),
    "int32": ("Int", 3),
    "int64": ("Long", 4),
    "float16": ("Half", 5),
    "float32": ("Float", 6),
    "float64": ("Double", 7),
    "bool": ("Bool", 11),
}

_INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
_FLOATS = ("float16", "float32", "float64")
_GROUPS = {
    "any": (*_INTEGERS, *_FLOATS, "bool"),
    "numbers": (*_INTEGERS, *_FLOATS),
    "integers": _INTEGERS,
    "integral": (*_INTEGERS, "bool"),
    "floats": _FLOATS,
}


@dataclass(frozen=True)
class Kernel:
    """One entry. `operator` is the full name; `declaration` is the part that the code generator reads.

    primitive: `function` takes the program's values directly, and no wrapper is generated. Only primitives have a
    `signature` (firmware/executorch/include/pilotlight/executorch/signatures.h), which says what the values must be.
    """

    operator: str
    declaration: dict[str, Any]
    function: str
    source: str
    dtypes: tuple[str, ...]
    primitive: bool = False
    signature: str = ""


def read_kernels() -> dict[str, Kernel]:
    """Return all entries by the operator's full name ("aten::add.out")."""
    import yaml  # type: ignore[import-untyped]

    kernels: dict[str, Kernel] = {}
    for path in (KERNELS, PRIMITIVES):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
            kernel = _kernel(entry, path) if path == KERNELS else _primitive(entry)
            if kernel.operator in kernels:
                raise ValueError(f"{path}: {kernel.operator} twice")
            kernels[kernel.operator] = kernel
    return kernels


def _primitive(entry: dict[str, str]) -> Kernel:
    return Kernel(
        operator=entry["op"],
        declaration={},
        function=entry["function"],
        source=entry["source"],
        dtypes=tuple(SCALAR_TYPES),
        primitive=True,
        signature=entry["signature"],
    )


def _kernel(entry: dict[str, Any], path: Path) -> Kernel:
    key = "op" if "op" in entry else "func"
    name = str(entry[key]).partition("(")[0]
    dtypes = entry["dtypes"]
    names = [dtypes] if isinstance(dtypes, str) else dtypes
    expanded = [dtype for name_or_group in names for dtype in _GROUPS.get(name_or_group, (name_or_group,))]
    unknown = set(expanded) - SCALAR_TYPES.keys()
    if unknown:
        raise ValueError(f"{path}: {name}: no dtype or group {', '.join(sorted(unknown))}")
    source = FOLDER / entry["source"]
    if not source.is_file():
        raise ValueError(f"{path}: {name}: no source {source}")
    return Kernel(
        operator=name if "::" in name else f"aten::{name}",
        declaration={key: value for key, value in entry.items() if key not in ("function", "source", "dtypes")},
        function=entry["function"],
        source=source.name,
        dtypes=tuple(dict.fromkeys(expanded)),
    )
