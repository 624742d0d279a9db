# SPDX-License-Identifier: Apache-2.0
"""Every fault that the platform knows, provoked on the emulated board, and the host's report of it.

The expectations follow from the architecture (Armv8-M ARM) and from the probe's source, not from
the decoder.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from probe_bench import PROBE, Bench

from pilotlight.errors import BadFaultDump
from pilotlight.fault import FaultDump, FaultKind, FaultReport, decode_fault

SOURCE = (PROBE / "probe.cpp").read_text(encoding="utf-8").splitlines()
GUARD = "0x[0-9a-f]{8}: the guard below the stack"


@dataclass(frozen=True)
class Case:
    """A fault, its kind, and a pattern of its reason.

    at_source: whether the program counter is in the probe.
    """

    name: str
    kind: FaultKind
    reason: str
    at_source: bool = True


CASES = [
    Case("undefined", FaultKind.USAGE_FAULT, "undefined instruction"),
    Case("bus", FaultKind.BUS_FAULT, "wrote to 0x5fff0000: bus error, nothing answers there"),
    Case("null-write", FaultKind.MEM_MANAGE, "wrote to 0x00000004: null pointer"),
    Case("null-read", FaultKind.MEM_MANAGE, "read from 0x00000000: null pointer"),
    Case("far-null-read", FaultKind.MEM_MANAGE, "read from 0x00000ffc: null pointer"),
    Case("null-call", FaultKind.MEM_MANAGE, "executed 0x00000000: null pointer", at_source=False),
    Case("write-code", FaultKind.MEM_MANAGE, "wrote to 0x10......: the code"),
    Case("write-constant", FaultKind.MEM_MANAGE, "wrote to 0x10......: the constants"),
    Case("write-model", FaultKind.MEM_MANAGE, "wrote to 0x70000000: the model"),
    Case("execute-data", FaultKind.MEM_MANAGE, "executed 0x30......: the data", at_source=False),
    Case("execute-arena", FaultKind.MEM_MANAGE, "executed 0x70......: the tensor arena", at_source=False),
    Case("execute-stack", FaultKind.MEM_MANAGE, "executed 0x30......: the stack", at_source=False),
    Case("execute-device", FaultKind.MEM_MANAGE, "executed 0x59303000: neither memory nor .*", at_source=False),
    Case("guard", FaultKind.MEM_MANAGE, f"wrote to {GUARD}"),
    Case("other-device", FaultKind.MEM_MANAGE, "wrote to 0x58002000: neither memory nor registers of this image"),
    Case("unaligned", FaultKind.USAGE_FAULT, "unaligned access where none is allowed"),
    Case("divide", FaultKind.USAGE_FAULT, "division by zero"),
    Case("interrupt", FaultKind.UNEXPECTED_INTERRUPT, "interrupt 52 has no handler", at_source=False),
]


@pytest.fixture(scope="module")
def faults(
    probe_image: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory, powered: Callable[[Path], Bench]
) -> Callable[[str], bytes]:
    """Return a function that provokes a fault and returns the dump that the next boot reports."""
    bench = powered(tmp_path_factory.mktemp("faults"))

    def provoke(name: str) -> bytes:
        bench.wire.send(f"f {name}")
        answer = bench.wire.read_line()
        while not answer.startswith(("fault", "nothing")):
            answer = bench.wire.read_line()
        assert answer.startswith("fault"), f"{name}: {answer}"
        return bytes.fromhex(bench.wire.ask("x"))

    return provoke


@pytest.fixture(scope="module")
def elf(probe_image: Callable[[str], Path]) -> Path:
    return probe_image("qemu-corstone300")


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_a_fault_is_decoded_to_its_reason_function_and_line(
    faults: Callable[[str], bytes], elf: Path, case: Case
) -> None:
    report = decode_fault(faults(case.name), elf)
    assert report.dump.kind is case.kind
    assert re.fullmatch(case.reason, report.reason)
    innermost = report.frames[0]
    if case.at_source:
        # The probe's table has the fault's name on the line of its cause or up to 6 lines above.
        named = next(i for i, line in enumerate(SOURCE, 1) if f'"{case.name}"' in line)
        file, _, line = innermost.line.partition(":")
        assert file == "probe.cpp" and named <= int(line) <= named + 6
        assert "kFaults" in innermost.function
    assert [frame.function for frame in report.frames][-2:] == ["main", "StartInCpp"]
    assert all(frame.line for frame in report.frames[-2:])
    assert "guess" not in {frame.found_by for frame in report.frames}


def test_a_stack_overflow_is_a_fault_with_its_function(faults: Callable[[str], bytes], elf: Path) -> None:
    report = decode_fault(faults("overflow"), elf)
    assert report.dump.kind is FaultKind.USAGE_FAULT
    assert re.fullmatch("stack overflow: the stack pointer would have gone below 0x30......", report.reason)
    assert all("Overflow" in frame.function for frame in report.frames)


def test_a_stack_too_full_for_the_fault_itself_leaves_guesses_called_so(
    faults: Callable[[str], bytes], elf: Path
) -> None:
    report = decode_fault(faults("full-stack"), elf)
    assert report.reason.startswith("stack overflow")
    assert not report.dump.has_frame
    assert {frame.found_by for frame in report.frames} <= {"guess"}


def test_a_failed_check_is_decoded_to_who_asked(faults: Callable[[str], bytes], elf: Path) -> None:
    report = decode_fault(faults("check"), elf)
    line = next(i for i, text in enumerate(SOURCE, 1) if "PILOTLIGHT_CHECK(kind == nullptr)" in text)
    assert report.reason == f"failed CHECK: probe.cpp: kind == nullptr, line {line}"
    assert report.frames[0].line == f"probe.cpp:{line}"


@pytest.mark.parametrize("name", ["malloc", "new", "free"])
def test_who_allocates_is_found_at_the_first_call(faults: Callable[[str], bytes], elf: Path, name: str) -> None:
    report = decode_fault(faults(name), elf)
    assert report.reason == "failed CHECK: heap: memory was allocated, but there is no heap, line 0"
    (caller,) = (frame for frame in report.frames if "kFaults" in frame.function)
    named = next(i for i, line in enumerate(SOURCE, 1) if f'{{"{name}"' in line)
    assert named <= int(caller.line.partition(":")[2]) <= named + 2


def test_functions_are_those_that_the_toolchain_names(faults: Callable[[str], bytes], elf: Path) -> None:
    report = decode_fault(faults("null-write"), elf)
    named = _addr2line(elf, report)
    assert [frame.line for frame in report.frames] == [line for _, line in named]
    assert [frame.function for frame in report.frames] == [function for function, _ in named]


def _addr2line(elf: Path, report: FaultReport) -> list[tuple[str, str]]:
    addresses = [hex(frame.address - (frame.found_by != "exact")) for frame in report.frames]
    command = ["arm-none-eabi-addr2line", "-fCe", str(elf), *addresses]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    where = [re.sub(r" \(discriminator \d+\)", "", line).rpartition("/")[2] for line in lines[1::2]]
    return list(zip(lines[::2], where, strict=True))


def test_any_damaged_byte_of_a_dump_is_refused(faults: Callable[[str], bytes], elf: Path) -> None:
    dump = faults("null-write")
    assert FaultDump.decode(dump).encode() == dump
    for at in range(0, len(dump), 13):
        with pytest.raises(BadFaultDump, match="damaged"):
            decode_fault(dump[:at] + bytes([dump[at] ^ 0x40]) + dump[at + 1 :], elf)
    with pytest.raises(BadFaultDump, match="damaged"):
        decode_fault(dump[:-1], elf)


def test_a_dump_of_another_build_is_named_and_not_decoded(
    faults: Callable[[str], bytes], probe_image: Callable[[str], Path]
) -> None:
    with pytest.raises(BadFaultDump, match="belongs to another build") as caught:
        decode_fault(faults("null-write"), probe_image("corstone300-fvp"))
    assert "main" not in caught.value.report()


def test_the_board_powers_up_without_a_dump(
    faults: Callable[[str], bytes], powered: Callable[[Path], Bench], tmp_path: Path
) -> None:
    assert powered(tmp_path).wire.ask("x") == ""
