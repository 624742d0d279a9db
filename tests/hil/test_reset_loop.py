# SPDX-License-Identifier: Apache-2.0
"""A board that never reaches the check protocol, and the messages of flash, check and fault about
it.

The tests replace the image in a build folder of digits by a probe that fails in a constructor.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow import ROOT, Bench, Outcome

PROBE = ROOT / "tests" / "emulator" / "firmware"
CRASH = Path(__file__).parent / "crash_at_start" / "crash.cpp"
CHECK_LINE = next(i for i, line in enumerate(CRASH.read_text().splitlines(), 1) if "PILOTLIGHT_CHECK" in line)

CHECK, NULL_WRITE, RESET = 1, 2, 3
SAID = {
    CHECK: ["failed CHECK: crash.cpp: kind != 1", f"crash.cpp:{CHECK_LINE}", "StartInCpp"],
    NULL_WRITE: ["wrote to 0x00000004: null pointer", "CrashAtStart", "StartInCpp"],
    RESET: ["no fault was recorded"],
}


@pytest.fixture(scope="module")
def crashing_image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Path]:
    def build(kind: int, sleep_ms: int) -> Path:
        folder = tmp_path_factory.mktemp("crash")
        source = folder / "configured.cpp"
        source.write_text(f'#define CRASH_KIND {kind}\n#define CRASH_SLEEP_MS {sleep_ms}\n#include "{CRASH}"\n')
        configure = ["cmake", "-S", PROBE, "-B", folder, "-G", "Ninja", "-DBOARD=qemu-corstone300"]
        for command in ([*configure, f"-DPROBE_MORE_SOURCES={source}"], ["cmake", "--build", folder]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        return folder / "firmware.elf"

    return build


def _says(outcome: Outcome, phrases: list[str]) -> bool:
    said = outcome.out + outcome.err
    return all(phrase in said for phrase in phrases)


@pytest.mark.parametrize("kind", [CHECK, NULL_WRITE, RESET])
def test_a_board_that_resets_again_and_again_is_called_so_with_its_fault(
    digits: Bench, crashing_image: Callable[[int, int], Path], kind: int
) -> None:
    shutil.copy(crashing_image(kind, 0), digits.folder / "firmware.elf")
    flashed = digits.flash()
    assert flashed.code in (0, 41)
    checked = digits.check()
    assert checked.code == 41
    for outcome in (checked, *([flashed] if flashed.code else [])):
        assert _says(outcome, ["resets again and again", *SAID[kind]]), outcome
        assert "another program connected" not in outcome.err
    fault = digits.fault()
    assert fault.code == 0
    assert _says(fault, ["resets again and again", *SAID[kind]]), fault
    assert digits.state()["resets_repeatedly"]


@pytest.mark.time_limit(600)
def test_a_board_that_resets_slowly_is_reported_while_it_goes_on(
    digits: Bench, crashing_image: Callable[[int, int], Path]
) -> None:
    shutil.copy(crashing_image(CHECK, 5000), digits.folder / "firmware.elf")
    assert digits.flash().code == 0
    checked = digits.check()
    assert checked.code == 41
    assert _says(checked, ["during the check", *SAID[CHECK]]), checked
    fault = digits.fault()
    assert fault.code == 0
    assert _says(fault, ["since it was powered up", *SAID[CHECK]]), fault
    assert digits.state()["phase"] == "running"


def test_a_core_that_locks_up_at_once_is_called_so(digits: Bench) -> None:
    source = Path(__file__).parent / "crash_at_start" / "lock_up.S"
    places = ["-Wl,-Ttext=0x10000100,--section-start=.vectors=0x10000000,-e,start"]
    image = digits.folder / "firmware.elf"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m55", "-nostdlib", *places, source, "-o", image]
    subprocess.run(command, check=True)
    assert digits.flash().code in (0, 41)
    for outcome in (digits.check(), digits.fault()):
        assert _says(outcome, ["the core locked up", "Lockup: can't escalate"]), outcome


def test_a_fault_of_an_earlier_build_is_not_taken_for_the_cause(
    digits: Bench, crashing_image: Callable[[int, int], Path]
) -> None:
    image = crashing_image(RESET, 0)
    shutil.copy(image, digits.folder / "firmware.elf")
    (digits.folder / "fault.bin").write_bytes(b"left by an earlier check")
    digits.flash()
    assert digits.check().code == 41
    assert _says(digits.fault(), ["resets again and again", "no fault was recorded"])
