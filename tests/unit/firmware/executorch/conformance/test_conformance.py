# SPDX-License-Identifier: Apache-2.0
"""Compares our runtime with the wheel's binary, on programs that the exporter made.

One probe is linked with each runtime. Operators are traced: they print their arguments and compute
the same function in both probes. Each line that differs therefore comes from a runtime.
"""

from __future__ import annotations

import re
import struct
from itertools import zip_longest
from pathlib import Path

import pytest
import suite

HEADERS = ["tensors", "registries", "platform"]
ABORTS = ["abort runtime", "abort platform", "abort kernel twice", "abort negative size"]

# These programs do not run with the wheel's kernels, so there is nothing to compare with.
WHEEL_DOES_NOT_RUN = {
    "channels_last": "its addition refuses that order of dimensions",
    "state_of_the_caller": "crashes on a tensor that nobody gave memory",
}
# The permitted difference between sums that are added in another order.
RELATIVE = 1e-5
# Cases in which the two runtimes differ by design; see "Differences from the wheel's runtime" in
# firmware/executorch/SPEC.md.
REFUSED_WHEN_RUN = {"state_of_the_caller": "a kernel is given a tensor that nobody gave memory"}


def test_functions_of_the_headers_answer_alike(probes: Path, programs: Path) -> None:
    commands = [*HEADERS, *ABORTS, "backends"]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    assert suite.differences(ours, wheel) == {}
    assert all("aborted" in wheel[command] for command in ABORTS)


def test_what_is_missing_is_the_same_error(probes: Path, programs: Path) -> None:
    """No backend is registered, and no operator is traced."""
    commands = ["program two_backends.pte", "program every_kind_of_argument.pte"]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    assert suite.differences(ours, wheel) == {}
    for command in commands:
        assert "load_method 0x0" not in wheel[command]


def test_programs_give_the_same_metadata_values_and_errors(probes: Path, programs: Path) -> None:
    names = sorted(suite.names(programs))
    commands = ["backends", *suite.traced(programs, names), *(f"program {name}.pte" for name in names)]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    different = suite.differences(ours, wheel)
    for name in REFUSED_WHEN_RUN:
        different.pop(f"program {name}.pte")
        lines = ours[f"program {name}.pte"]
        assert "load_method 0x0" in lines and "execute 0x0" not in lines and "crashed" not in lines
    assert different == {}
    assert len(wheel) > 60
    for name in set(names) - {"written_constants_twice", "written_kernel_missing_twice", "written_kernel_fails"}:
        assert "execute 0x0" in wheel[f"program {name}.pte"], f"{name} does not run on the wheel"


def test_an_event_tracer_sees_the_same(probes: Path, programs: Path) -> None:
    names = sorted(set(suite.names(programs)) - REFUSED_WHEN_RUN.keys())
    commands = ["backends", *suite.traced(programs, names), *(f"events {name}.pte" for name in names)]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    assert suite.differences(ours, wheel) == {}
    assert any("event value 1" in line for line in wheel["events nested.pte"])


def test_planned_memory_that_does_not_suffice_is_the_same_error(probes: Path, programs: Path) -> None:
    names = sorted(suite.names(programs))
    commands = ["backends", *suite.traced(programs, names), *(f"planned {name}.pte" for name in names)]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    assert suite.differences(ours, wheel) == {}


def test_a_pool_of_any_size_that_does_not_suffice_is_one_error(probes: Path, programs: Path) -> None:
    """The wheel is no reference here: it writes through the null pointer of a failed allocation."""
    names = sorted(suite.names(programs))
    commands = ["backends", *suite.traced(programs, names), *(f"pools {name}.pte" for name in names)]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    memory_allocation_failed = "pools from nothing to enough: 0x21 0x0"
    for command, lines in ours.items():
        found = [line for line in lines if line.startswith("pools")]
        loads = [line for line in lines if line == "load 0x0"]
        assert found == [memory_allocation_failed] * len(loads), command
        assert "crashed" not in lines, command
        # If the wheel does not crash, the two transcripts must agree.
        assert lines == wheel.get(command, lines) or "crashed" in wheel[command], command


def test_constants_that_are_too_short_are_refused(probes: Path, programs: Path) -> None:
    """The wheel does not check, and reads beyond their end."""
    names = ["constants_in_another_file", "some_constants_in_another_file", "named_data_in_two_files"]
    commands = ["backends", *suite.traced(programs, names), *(f"short {name}.pte" for name in names)]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    invalid_external_data = "load with short data 0x24"
    assert all(invalid_external_data in ours[f"short {name}.pte"] for name in names)


def _values(line: str) -> tuple[str, list[float] | None]:
    """Split the line of a floating-point tensor into its description and its values."""
    described, found, data = line.partition(" data=")
    formats = {" dtype=6 ": "f", " dtype=7 ": "d"}
    letter = next((letter for dtype, letter in formats.items() if dtype in described), None)
    if not found or letter is None or not re.fullmatch(r"([0-9a-f]{2})*", data):
        return line, None
    content = bytes.fromhex(data)
    return described, list(struct.unpack(f"<{len(content) // struct.calcsize(letter)}{letter}", content))


def _close(mine: str, theirs: str) -> bool:
    described, values = _values(mine)
    wheel_described, wheel_values = _values(theirs)
    if values is None or wheel_values is None:
        return mine == theirs
    return described == wheel_described and values == pytest.approx(wheel_values, rel=RELATIVE, abs=1e-6, nan_ok=True)


def test_programs_compute_with_our_kernels_what_they_compute_with_the_wheels(probes: Path, programs: Path) -> None:
    """Integers and booleans are compared exactly, floating-point numbers with a relative tolerance
    of 1e-5.
    """
    names = [name for name in sorted(suite.names(programs)) if not name.startswith("written_")]
    names = [name for name in names if name not in WHEEL_DOES_NOT_RUN]
    commands = ["backends", *(f"kernels {name}.pte" for name in names)]
    ours = suite.transcript(probes / "probe_ours", programs, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    wrong = {}
    compared = 0
    for name in names:
        mine, theirs = ours[f"kernels {name}.pte"], wheel[f"kernels {name}.pte"]
        differ = [pair for pair in zip_longest(mine, theirs, fillvalue="") if not _close(*pair)]
        if differ:
            wrong[name] = differ[:3]
        compared += sum(line.startswith("output") for line in theirs)
    assert wrong == {}
    assert compared > 100
