# SPDX-License-Identifier: Apache-2.0
"""Compares the primitive operators with those in the wheel's runtime: the same values must give the
same results.

differential/primitives.cpp is linked with each runtime. The output of the two programs is compared
line by line.
"""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path
from typing import Any

from pilotlight.errors import BadProgram
from pilotlight.npu import primitives


def _calls(program: Path) -> dict[str, str]:
    """Return the result of each call, by the call."""
    result = subprocess.run([str(program)], check=True, capture_output=True)
    lines = result.stdout.decode().splitlines()
    return {f"{number} {line.partition(' = ')[0]}": line.partition(" = ")[2] for number, line in enumerate(lines)}


def test_primitives_give_the_wheels_results_and_errors(differential_build: Path) -> None:
    ours, wheel = _calls(differential_build / "primitives_ours"), _calls(differential_build / "primitives_wheel")
    assert ours.keys() == wheel.keys()
    assert len(ours) > 4000
    wrong = []
    for call, theirs in wheel.items():
        mine = ours[call]
        # If the wheel's operator aborts, ours refuses the call, or returns a result if there is
        # one.
        if mine == "crashed" or (mine != theirs and theirs != "crashed"):
            wrong.append(f"{call}: ours {mine}, wheel {theirs}")
    assert not wrong, "\n".join(wrong)


_SCALAR = re.compile(r"(int|double|bool) (\S+)|(nan|none)$")


def _value(text: str) -> Any:
    """Return the number, boolean or None that the C++ program printed; raise ValueError for a
    tensor.
    """
    found = _SCALAR.match(text)
    if found is None:
        raise ValueError(text)
    kind, number, other = found.groups()
    if other is not None:
        return math.nan if other == "nan" else None
    return {"int": int, "double": float, "bool": lambda digit: digit == "1"}[kind](number)


def test_the_simulator_s_primitives_give_the_wheel_s_results(differential_build: Path) -> None:
    """Only calls on numbers, and only if the 64-bit result does not overflow and the wheel returns
    a result.
    """
    compared: dict[str, int] = {}
    wrong = []
    for call, theirs in _calls(differential_build / "primitives_wheel").items():
        name, _, listed = call.partition(" ")[2].partition("(")
        if name not in primitives.NUMERIC or theirs in ("crashed", "missing") or theirs.startswith("error"):
            continue
        try:
            arguments = [_value(text) for text in listed.removesuffix(")").removesuffix(", ").split(", ")]
            expected = _value(theirs.removesuffix("; "))
        except ValueError:
            continue  # A tensor.
        try:
            mine = primitives.call(name, arguments)
        except BadProgram as error:
            if any(isinstance(value, float) and not math.isfinite(value) for value in arguments):
                continue  # Converted to an integer, which C++ leaves undefined.
            wrong.append(f"{call}: {error}, wheel {theirs}")
            continue
        if isinstance(mine, int) and not -(2**63) <= mine < 2**63:
            continue
        compared[name] = compared.get(name, 0) + 1
        if mine != expected and not (mine != mine and expected != expected):
            wrong.append(f"{call}: {mine}, wheel {theirs}")
    assert not wrong, "\n".join(wrong)
    assert compared.keys() == primitives.NUMERIC - {"aten::_local_scalar_dense"}
    assert min(compared.values()) >= 2 and sum(compared.values()) > 1000
