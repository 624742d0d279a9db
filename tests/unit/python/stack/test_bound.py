# SPDX-License-Identifier: Apache-2.0
"""The stack bound of small programs whose stack use is known.

The real toolchain compiles them.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.stack import StackBound, compute_bound, load_bound
from pilotlight.stack.__main__ import main
from pilotlight.stack.bound import EXCEPTION_FRAME_BYTES
from pilotlight.stack.calls import DeclaredCalls, IndirectCall, Recursion

FLAGS = ("-mcpu=cortex-m55", "-mthumb", "-Os", "-nostdlib", "-fcallgraph-info=su", "-fno-optimize-sibling-calls")
SCRIPT = """
SECTIONS {{
  .vectors 0x10000000 : {{ LONG(0) LONG(Reset_Handler) LONG(TimerHandler) }}
  .text : {{ *(.text*) }}
  .bss : {{ *(.bss*) }}
  __stack_limit = 0x30000000;
  __stack_top = __stack_limit + {reserved};
}}
"""
# A frame is at least as large as its local array, and little larger.
COMMON = """
void use(volatile char* bytes) __attribute__((noinline));
void use(volatile char* bytes) { bytes[0] = 1; }
void Reset_Handler(void) {}
void TimerHandler(void) { volatile char local[64]; use(local); }
void FaultInCpp(void) { volatile char local[40]; use(local); }
"""


def linked(folder: Path, source: str, reserved: int = 4096) -> Path:
    (folder / "program.c").write_text(COMMON + source, encoding="utf-8")
    (folder / "program.ld").write_text(SCRIPT.format(reserved=reserved), encoding="utf-8")
    command = ["arm-none-eabi-gcc", *FLAGS, "program.c", "-Tprogram.ld", "-Wl,-eReset_Handler", "-o", "program.elf"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "program.elf"


def bound_of(folder: Path, source: str, declared: DeclaredCalls | None = None) -> StackBound:
    return compute_bound(folder, linked(folder, source), declared or DeclaredCalls((), ()))


def names(bound: StackBound) -> list[str]:
    return [name for name, _ in bound.main.calls]


BRANCHES = """
void __attribute__((noinline)) shallow(void) { volatile char local[100]; use(local); }
void __attribute__((noinline)) deep(void) { volatile char local[500]; use(local); }
void StartInCpp(void) { volatile char local[20]; shallow(); deep(); use(local); }
"""


def test_the_deepest_of_several_chains_counts_with_an_interrupt_and_a_fault_on_top(tmp_path: Path) -> None:
    bound = bound_of(tmp_path, BRANCHES)
    assert names(bound) == ["StartInCpp", "deep", "use"]
    assert 520 <= bound.main.bytes <= 520 + 3 * 16
    (interrupt,) = bound.interrupts
    assert interrupt.calls[0][0] == "TimerHandler" and 64 <= interrupt.bytes <= 64 + 2 * 16
    assert bound.bytes == bound.main.bytes + interrupt.bytes + 2 * EXCEPTION_FRAME_BYTES
    assert 40 <= bound.fault.bytes <= 40 + 2 * 16
    assert bound.is_complete


RECURSION = """
int __attribute__((noinline)) odd(int n);
int __attribute__((noinline)) even(int n) { volatile char local[200]; use(local); return n ? odd(n - 1) : 1; }
int __attribute__((noinline)) odd(int n) { volatile char local[100]; use(local); return n ? even(n - 1) : 0; }
int StartInCpp(void) { return even(8); }
"""


def test_recursion_is_reported_and_counted_once_round_unless_its_depth_is_declared(tmp_path: Path) -> None:
    bound = bound_of(tmp_path, RECURSION)
    assert [set(cycle) for cycle in bound.recursive] == [{"even", "odd"}]
    assert not bound.is_complete
    assert 300 <= bound.main.bytes <= 300 + 4 * 16
    declared = DeclaredCalls((), (Recursion(re.compile("even$"), 9, "counted down from 8"),))
    known = bound_of(tmp_path, RECURSION, declared)
    assert known.is_complete
    assert 9 * 300 <= known.main.bytes <= 9 * 300 + 20 * 16


POINTER = """
void __attribute__((noinline)) target(void) { volatile char local[700]; use(local); }
void (*volatile pointer)(void) = target;
void StartInCpp(void) { volatile char local[20]; pointer(); use(local); }
"""


def test_a_call_through_a_pointer_is_listed_unless_it_is_declared(tmp_path: Path) -> None:
    bound = bound_of(tmp_path, POINTER)
    assert bound.unresolved == ("StartInCpp",)
    assert bound.main.bytes < 100
    declared = DeclaredCalls((IndirectCall(re.compile("StartInCpp$"), re.compile("target$")),), ())
    known = bound_of(tmp_path, POINTER, declared)
    assert known.is_complete
    assert names(known) == ["StartInCpp", "target", "use"]
    assert known.main.bytes >= 720


def test_an_entry_that_names_no_function_of_the_image_is_listed_unless_it_says_nothing(tmp_path: Path) -> None:
    renamed = DeclaredCalls((IndirectCall(re.compile("StartInCpp$"), re.compile("old_name$")),), ())
    assert bound_of(tmp_path, POINTER, renamed).unresolved == ("StartInCpp",)
    null = DeclaredCalls((IndirectCall(re.compile("StartInCpp$"), re.compile("nothing$")),), ())
    assert bound_of(tmp_path, POINTER, null).is_complete


def test_each_entry_of_a_caller_has_to_name_a_function(tmp_path: Path) -> None:
    caller = re.compile("StartInCpp$")
    good, renamed = IndirectCall(caller, re.compile("target$")), IndirectCall(caller, re.compile("old_name$"))
    assert bound_of(tmp_path, POINTER, DeclaredCalls((good,), ())).is_complete
    assert bound_of(tmp_path, POINTER, DeclaredCalls((good, renamed), ())).unresolved == ("StartInCpp",)


def test_a_function_sized_at_run_time_is_listed(tmp_path: Path) -> None:
    source = "void StartInCpp(void) { volatile int n = 3; volatile char local[n]; use(local); }"
    assert bound_of(tmp_path, source).unsized == ("StartInCpp",)


def test_functions_of_libraries_are_measured_by_what_they_push(tmp_path: Path) -> None:
    elf = linked(tmp_path, BRANCHES)
    for path in tmp_path.glob("*.ci"):
        path.unlink()
    bound = compute_bound(tmp_path, elf, DeclaredCalls((), ()))
    assert names(bound) == ["StartInCpp", "deep", "use"]
    assert 520 <= bound.main.bytes <= 520 + 3 * 16


def test_a_stack_too_small_fails_and_names_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elf = linked(tmp_path, BRANCHES, reserved=512)
    monkeypatch.setattr("sys.argv", ["stack", "--build", str(tmp_path), "--elf", str(elf)])
    assert main() == 13
    message = capsys.readouterr().err
    assert "and 512 are reserved" in message
    assert re.search(r"\d+  StartInCpp\n +5\d\d  deep\n", message)


def test_an_image_without_symbols_or_vectors_is_named(tmp_path: Path) -> None:
    elf = linked(tmp_path, BRANCHES)
    subprocess.run(["arm-none-eabi-strip", "-o", tmp_path / "stripped.elf", elf], check=True)
    with pytest.raises(ConfigError, match=r"stripped\.elf has no symbol __stack_top"):
        compute_bound(tmp_path, tmp_path / "stripped.elf", DeclaredCalls((), ()))
    moved = ["arm-none-eabi-objcopy", "--rename-section", ".vectors=.table", elf, tmp_path / "moved.elf"]
    subprocess.run(moved, check=True)
    with pytest.raises(ConfigError, match=r"moved\.elf has no section \.vectors"):
        compute_bound(tmp_path, tmp_path / "moved.elf", DeclaredCalls((), ()))


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    bound = bound_of(tmp_path, POINTER)
    bound.save(tmp_path / "stack.json")
    assert load_bound(tmp_path / "stack.json") == bound
    assert json.loads((tmp_path / "stack.json").read_text())["bytes"] == bound.bytes
    (tmp_path / "stack.json").unlink()
    assert load_bound(tmp_path / "stack.json") is None


def test_another_build_inside_the_folder_does_not_count(tmp_path: Path) -> None:
    alone = bound_of(tmp_path, BRANCHES)
    other = tmp_path / "demo"
    other.mkdir()
    linked(other, BRANCHES.replace("500", "900"))
    (other / "CMakeCache.txt").touch()
    assert bound_of(tmp_path, BRANCHES) == alone
