# SPDX-License-Identifier: Apache-2.0
"""Reads kernels.yaml and primitives.yaml: the operators that the firmware can run on the CPU.

An entry of kernels.yaml has these keys:

    op or func  the operator as upstream's functions.yaml spells it: op for an ATen operator, func
                with the schema for any other. `dispatch` and `cpp_no_default_args` are upstream's
                too.
    function    the C++ function
    source      the source file in firmware/kernels
    dtypes      the dtypes that each tensor argument may have: names, or one of the groups below
    exact       optional: true if the kernel gives the same bits as PyTorch. The export gives a
                tolerance to floats that come after any other operator.

An entry of primitives.yaml has op, function, source and signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError
from pilotlight.paths import ROOT
from pilotlight.pte.schema import SCALAR_TYPES

FOLDER = ROOT / "firmware" / "kernels"

_INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
_FLOATS = ("float16", "float32", "float64")
_GROUPS = {
    "any": (*_INTEGERS, *_FLOATS, "bool"),
    "numbers": (*_INTEGERS, *_FLOATS),
    "integers": _INTEGERS,
    "integral": (*_INTEGERS, "bool"),
    "floats": _FLOATS,
}

# The dtypes that kernels can have -> number in executorch::aten::ScalarType.
DTYPES = {name: number for number, (name, _) in SCALAR_TYPES.items() if name in _GROUPS["any"]}

_OURS = frozenset(("function", "source", "dtypes", "exact"))
_UPSTREAMS = frozenset(("op", "func", "dispatch", "cpp_no_default_args"))


@dataclass(frozen=True)
class Kernel:
    """One entry.

    operator: the full name, "aten::add.out".
    declaration: the keys that upstream's code generator reads.
    exact: as in kernels.yaml; False for a primitive, which computes no tensor of floats.
    primitive: `function` takes the program's values directly, and no wrapper is generated.
    signature: of a primitive only: the kinds of values in a call
        (firmware/executorch/include/pilotlight/executorch/signatures.h).
    """

    operator: str
    declaration: dict[str, Any]
    function: str
    source: str
    dtypes: tuple[str, ...]
    exact: bool = False
    primitive: bool = False
    signature: str = ""


def read_kernels(folder: Path = FOLDER) -> dict[str, Kernel]:
    """Return all entries by the operator's full name.

    folder: has both lists and the sources. Raises ConfigError, which names file, operator and key.
    """
    kernels: dict[str, Kernel] = {}
    for file, kernel_of in ((folder / "kernels.yaml", _kernel), (folder / "primitives.yaml", _primitive)):
        for entry in _entries(file):
            kernel = kernel_of(entry, file)
            if kernel.operator in kernels:
                raise ConfigError(f"{file}: {kernel.operator} twice", hint="remove one of the two entries")
            kernels[kernel.operator] = kernel
    return kernels


def exact_operators(kernels: Mapping[str, Kernel]) -> frozenset[str]:
    """Return the operators of which each overload has an exact kernel, as "aten.add"."""
    inexact = {without_overload(kernel.operator) for kernel in kernels.values() if not kernel.exact}
    return frozenset(without_overload(operator) for operator in kernels) - inexact


def without_overload(operator: str) -> str:
    """Return the name that an operator and its out variants share, as PyTorch's graphs spell it.

    >>> without_overload("aten::add.Scalar_out")
    'aten.add'
    """
    namespace, _, name = operator.partition("::")
    return f"{namespace}.{name.partition('.')[0]}"


def missing_kernels(operators: Iterable[str], kernels: Mapping[str, Kernel]) -> list[str]:
    """Return the `operators` without a kernel, in order."""
    return [operator for operator in operators if operator not in kernels]


def missing_dtypes(calls: Mapping[str, Iterable[str]], kernels: Mapping[str, Kernel]) -> dict[str, tuple[str, ...]]:
    """Return the operators whose kernel lacks dtypes of their calls, with these dtypes.

    calls: operator -> the dtypes of the tensors in all its calls. Each operator has a kernel.
    """
    lacking = {
        operator: tuple(dtype for dtype in dtypes if dtype not in kernels[operator].dtypes)
        for operator, dtypes in calls.items()
    }
    return {operator: dtypes for operator, dtypes in lacking.items() if dtypes}


def _entries(file: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{file}: is not a list of entries with keys")
    return entries


def _primitive(entry: dict[str, Any], file: Path) -> Kernel:
    operator = str(_required(entry, "op", file, str(entry)))
    return Kernel(
        operator=operator,
        declaration={},
        function=_required(entry, "function", file, operator),
        source=_required(entry, "source", file, operator),
        dtypes=tuple(DTYPES),
        primitive=True,
        signature=_required(entry, "signature", file, operator),
    )


def _kernel(entry: dict[str, Any], file: Path) -> Kernel:
    key = "op" if "op" in entry else "func"
    name = str(_required(entry, key, file, str(entry))).partition("(")[0]
    if unknown := sorted(entry.keys() - _OURS - _UPSTREAMS):
        raise ConfigError(
            f"{file}: {name}: unknown key {', '.join(unknown)}",
            hint=f"the keys are {', '.join(sorted(_OURS | _UPSTREAMS))}",
        )
    exact = entry.get("exact", False)
    if not isinstance(exact, bool):
        raise ConfigError(f"{file}: {name}: exact is {exact!r}", hint="write true, or remove the key")
    source = str(_required(entry, "source", file, name))
    if not (file.parent / source).is_file():
        raise ConfigError(f"{file}: {name}: no source {file.parent / source}")
    return Kernel(
        operator=name if "::" in name else f"aten::{name}",
        declaration={key: value for key, value in entry.items() if key in _UPSTREAMS},
        function=_required(entry, "function", file, name),
        source=source,
        dtypes=_dtypes(_required(entry, "dtypes", file, name), file, name),
        exact=exact,
    )


def _required(entry: dict[str, Any], key: str, file: Path, name: str) -> Any:
    if key not in entry:
        raise ConfigError(f"{file}: {name}: no key {key}")
    return entry[key]


def _dtypes(given: str | list[str], file: Path, name: str) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    expanded = [dtype for name_or_group in names for dtype in _GROUPS.get(name_or_group, (name_or_group,))]
    if unknown := sorted(set(expanded) - DTYPES.keys()):
        raise ConfigError(
            f"{file}: {name}: no dtype or group {', '.join(unknown)}",
            hint=f"the groups are {', '.join(_GROUPS)}; the dtypes are {', '.join(DTYPES)}",
        )
    return tuple(dict.fromkeys(expanded))
