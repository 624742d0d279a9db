# SPDX-License-Identifier: Apache-2.0
"""The suite calls every function that we implement, and a table lists every one that we leave out.

The table is in firmware/executorch/SPEC.md, section "Headers: what is implemented".
"""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import suite
from test_conformance import ABORTS, HEADERS


def _wheel() -> Path:
    spec = find_spec("executorch")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def _functions(library: Path, *options: str) -> set[str]:
    """Return the functions with external linkage that are not inline, as qualified names without
    arguments.
    """
    found = set()
    for line in _run("nm", "-C", "--defined-only", *options, str(library)).splitlines():
        match = re.match(r"\S+ T ((?:[\w~]+::)+[\w~]+)(?:\[.*\])?(?:<.*>)?(?:\(|$)", line)
        if match:
            found.add(match[1])
    return found


def _declared_in(function: str, headers: dict[str, str]) -> list[str]:
    """Return the headers that declare the function. For a member function, the header must define
    its class."""
    *_, scope, name = function.split("::")
    call = re.compile(rf"(?<![\w~]){re.escape(name)}\s*\(")
    is_member = scope[0].isupper()
    definition = re.compile(rf"(class|struct)\s+(\w+\s+)*{re.escape(scope)}\b[^;{{]*\{{")
    return [path for path, text in headers.items() if call.search(text) and (not is_member or definition.search(text))]


def _left_out() -> set[str]:
    """Return the headers and functions named in the last column of the table."""
    text = (suite.ROOT / "firmware" / "executorch" / "SPEC.md").read_text(encoding="utf-8")
    table = text[text.index("## Headers: what is implemented") :].split("\n## ")[0]
    rows = [line.split("|")[3] for line in table.splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_what_the_wheel_declares_and_exports_is_implemented_or_in_the_table(probes: Path) -> None:
    include = _wheel() / "include" / "executorch"
    headers = {
        str(path.relative_to(include)): path.read_text(encoding="utf-8")
        for folder in ("runtime", "extension", "devtools")
        for path in (include / folder).rglob("*.h")
    }
    wheel = _functions(_wheel() / "lib" / "libexecutorch.so", "-D")
    ours = _functions(probes / "firmware" / "executorch" / "libpilotlight_executorch.a")
    declared = {function: where for function in wheel if (where := _declared_in(function, headers))}
    assert len(declared) > 150
    left_out = _left_out()
    used = set()
    unexplained = []
    for function in sorted(declared.keys() - ours):
        reasons = {name for name in left_out if function.endswith(f"::{name}")}
        reasons |= {name for name in left_out if any(path.endswith(name) for path in declared[function])}
        used |= reasons
        if not reasons:
            unexplained.append(f"{function} of {declared[function]}")
    assert unexplained == []
    assert {name for name in left_out if name.endswith(".h")} - used == set(), "the table names what is not left out"


# The probe's kernels have no signatures, because the wheel's have none. ../test_signatures.py calls
# these functions.
HELD_BY_SIGNATURES = re.compile(
    r"::InstructionDecoder::(HoldsConstant|RefuseWrite|VerifyCall|VerifyWrites)\("
    r"|::(CompareCall|DescribeKinds|FindWritten|SettleScalar)\("
)


def test_the_suite_calls_every_function_that_we_implement(probes: Path, programs: Path) -> None:
    library = probes / "firmware" / "executorch"
    for counts in library.rglob("*.gcda"):
        counts.unlink()
    names = suite.names(programs)
    commands = [*HEADERS, *ABORTS, "backends", *suite.traced(programs, names)]
    commands += [f"{what} {name}.pte" for what in ("program", "events", "pools") for name in names]
    suite.transcript(probes / "probe_ours", programs, commands)
    called: dict[str, int] = {}
    for counts in library.rglob("*.gcda"):
        report = json.loads(_run("gcov", "--json-format", "--stdout", str(counts), cwd=probes))
        for file in report["files"]:
            for function in file["functions"]:
                key = function["demangled_name"]
                called[key] = called.get(key, 0) + function["execution_count"]
    archive = str(library / "libpilotlight_executorch.a")
    # A call of this function needs a table from inside a file. validate_program() makes the same
    # checks for every tensor.
    defined_but_internal = {"executorch::runtime::validate_tensor(executorch_flatbuffer::Tensor const*)"}
    # The names are demangled, because a constructor has several symbols and gcov reports only one
    # of them.
    defined = set(re.findall(r"^\S+ T (.+)$", _run("nm", "-C", "--defined-only", archive), re.MULTILINE))
    assert len(defined) > 150
    uncalled = (name for name in defined - defined_but_internal if called.get(name, 0) == 0)
    missing = sorted(name for name in uncalled if not HELD_BY_SIGNATURES.search(name))
    assert not missing, "\n".join(missing)
