# SPDX-License-Identifier: Apache-2.0
"""The conformance suite on an emulated Cortex-M55.

The transcript is line for line the wheel's, from one start of the emulator.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.elf import demangle
from pilotlight.fvp_shim.command import install_executables
from pilotlight.paths import ROOT
from pilotlight.stack.calls import load_declared_calls
from pilotlight.stack.frames import read_frames
from pilotlight.stack.machine_code import read_functions

SUITE = ROOT / "tests" / "unit" / "firmware" / "executorch" / "conformance"
sys.path.insert(0, str(SUITE))

import suite  # noqa: E402
from test_conformance import REFUSED_WHEN_RUN  # noqa: E402

U55 = "FVP_Corstone_SSE-300_Ethos-U55"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conformance-board")
    source = Path(__file__).resolve().parent / "conformance"
    configure = ["cmake", "-G", "Ninja", "-S", str(source), "-B", str(folder), "-DBOARD=qemu-corstone300"]
    for command in ([*configure, f"-DPILOTLIGHT_PYTHON={sys.executable}"], ["ninja", "-j2", "-C", str(folder)]):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        # The object cache keeps no compilation with messages.
        assert ": note: " not in done.stdout, done.stdout[-4000:]
    return folder / "firmware.elf"


def test_the_stack_bound_knows_all_functions_that_kernels_call_through_pointers(image: Path) -> None:
    functions = list(read_functions(image))
    shown = dict(zip(functions, demangle(functions), strict=True))
    frames = read_frames(image.parent)
    callers = [shown[name] for name in functions if name in frames and frames[name].calls_through_pointer]
    kernels = [name for name in callers if "pilotlight::kernels::" in name or "executor::native::" in name]
    assert len(kernels) >= 4
    declared = load_declared_calls().indirect
    for caller in kernels:
        entries = [entry for entry in declared if entry.callers.match(caller)]
        assert entries, f"firmware/indirect_calls.toml has no entry for {caller}"
        for entry in entries:
            assert any(entry.callees.match(name) for name in shown.values()), f"{caller}: {entry.callees.pattern}"


MOST_OPERATORS = 6
# Each program is loaded up to 80 times. In parts, each test takes seconds, and a failure names its
# part.
PARTS = 6


def _transcript_of_the_board(image: Path, programs: Path, work: Path, commands: list[str]) -> dict[str, list[str]]:
    install_executables(work / "bin")
    (work / "commands.txt").write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
    for file in programs.glob("*.*"):
        (work / file.name).symlink_to(file)
    command = [str(work / "bin" / U55), "-C", "ethosu.num_macs=128", "-a", str(image), "--timelimit", "600"]
    command += ["-C", f"cpu0.semihosting-cwd={work}", "-C", "cpu0.semihosting-cmd_line='probe commands.txt said.txt'"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return suite.sections((work / "said.txt").read_text(encoding="utf-8", errors="replace"))


def test_the_board_does_what_the_wheel_does(image: Path, tmp_path: Path) -> None:
    programs, probes = suite.programs(), suite.probes()
    names = sorted(set(suite.names(programs)) - REFUSED_WHEN_RUN.keys())
    commands = ["registries", "platform", "backends", *suite.traced(programs, names)]
    commands += [f"{what} {name}.pte" for what in ("program", "planned") for name in names]
    board = _transcript_of_the_board(image, programs, tmp_path, commands)
    wheel = suite.transcript(probes / "probe_wheel", programs, commands)
    assert len(board) > 100
    assert suite.differences(board, wheel) == {}


def _small_programs(programs: Path) -> list[str]:
    """Return the programs with few operators. The others take minutes and add no new case."""
    return [name for name in suite.names(programs) if len(suite.operators(programs, name)) <= MOST_OPERATORS]


def test_there_are_programs_to_fail_for_lack_of_memory() -> None:
    assert len(_small_programs(suite.programs())) > 5 * PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_no_pool_is_too_small_for_the_right_error(image: Path, tmp_path: Path, part: int) -> None:
    programs = suite.programs()
    names = _small_programs(programs)[part::PARTS]
    commands = ["backends", *suite.traced(programs, names), *(f"pools {name}.pte" for name in names)]
    board = _transcript_of_the_board(image, programs, tmp_path, commands)
    for command in commands:
        if not command.startswith("pools"):
            continue
        found = [line for line in board[command] if line.startswith("pools")]
        memory_allocation_failed = "pools from nothing to enough: 0x21 0x0"
        assert found == [memory_allocation_failed] * board[command].count("load 0x0"), command
