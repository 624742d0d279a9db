# SPDX-License-Identifier: Apache-2.0
"""Whatever is broken, `check` does not pass."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bounded import wait_until
from elftools.elf.elffile import ELFFile
from workflow import ROOT, Bench, Outcome

from pilotlight import targets
from pilotlight.bundle import expectations_sha256
from pilotlight.pte import read_program
from pilotlight.pte.ethos_u import parse_blob

# The device's limits run in real time, and a busy machine may stop the device for seconds.
QUICK = ("--run-timeout", "10", "--timeout", "60")


def start_check(folder: Path) -> subprocess.Popen[str]:
    """Start a check, and return once it runs samples."""
    console_log = folder / "target" / "console.log"
    before = console_log.stat().st_size if console_log.exists() else 0
    command = [sys.executable, "-m", "pilotlight", "check", "-d", str(folder), *QUICK]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def inferring() -> bool:
        assert process.poll() is None, process.communicate()
        # Identification takes less than 4 KiB. Everything after it belongs to inferences.
        return console_log.exists() and console_log.stat().st_size >= before + 4096

    wait_until(inferring, "the check's first inference")
    return process


def finish(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate()
    assert "Traceback" not in err
    return Outcome(process.returncode, out, err)


def assert_not_passed(outcome: Outcome) -> None:
    assert outcome.code != 0
    assert "PASS" not in outcome.out


def test_simulator_killed_in_mid_run(digits: Bench) -> None:
    assert digits.flash().code == 0
    process = start_check(digits.folder)
    os.kill(digits.state()["npu_pid"], signal.SIGKILL)
    outcome = finish(process)
    assert_not_passed(outcome)
    assert outcome.code == 41
    assert "simulator" in outcome.err


def test_emulator_killed_in_mid_run(digits: Bench) -> None:
    assert digits.flash().code == 0
    process = start_check(digits.folder)
    os.kill(digits.state()["emulator_pid"], signal.SIGKILL)
    outcome = finish(process)
    assert_not_passed(outcome)
    assert outcome.code == 41
    assert "west flash" in outcome.err


def test_interrupt_that_never_comes(digits: Bench) -> None:
    targets.power_up(digits.folder, npu_faults=("drop-interrupt",))
    outcome = digits.check(*QUICK)
    assert_not_passed(outcome)
    assert "timeout" in outcome.err.lower() or "did not" in outcome.err


def test_npu_that_hangs_fails_one_inference_and_not_the_next(digits: Bench) -> None:
    targets.power_up(digits.folder, npu_faults=("hang-once",))
    outcome = digits.check(*QUICK, "--run-timeout", "0.5")
    assert_not_passed(outcome)
    assert "still running at stream offset" in outcome.err
    # The driver must have reset the NPU, because the board was not powered down.
    again = digits.check("--samples", "4")
    assert again.code == 0, again.err


def test_interrupts_that_mean_nothing_change_nothing(digits: Bench) -> None:
    targets.power_up(digits.folder, npu_faults=("spurious-interrupts",))
    outcome = digits.check("--samples", "4")
    assert outcome.code == 0, outcome.err


def flip_byte(elf: Path, offset_in_model: int) -> None:
    """Flip one bit of the embedded program in a linked image."""
    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".model")
        offset = section["sh_offset"] + offset_in_model
    image = bytearray(elf.read_bytes())
    image[offset] ^= 0x01
    elf.write_bytes(image)


def test_one_flipped_bit_of_the_weights_in_the_image(digits: Bench) -> None:
    pte = (digits.folder / "bundles" / "digits" / "model.pte").read_bytes()
    weights = bytes(parse_blob(read_program(pte).methods["forward"].delegates[0].blob).weights)
    flip_byte(digits.folder / "firmware.elf", pte.index(weights) + len(weights) // 2)
    assert digits.flash().code == 0
    assert_not_passed(digits.check(*QUICK))


def test_one_flipped_bit_anywhere_in_the_program(digits: Bench) -> None:
    size = (digits.folder / "bundles" / "digits" / "model.pte").stat().st_size
    flip_byte(digits.folder / "firmware.elf", size - 1)
    assert digits.flash().code == 0
    assert_not_passed(digits.check(*QUICK))


def test_image_of_another_build(digits: Bench) -> None:
    assert digits.flash().code == 0
    info = digits.folder / "build_info.json"
    text = info.read_text(encoding="utf-8")
    identity = digits.state()["build_id"]
    info.write_text(text.replace(identity, identity[::-1]), encoding="utf-8")
    assert_not_passed(digits.check(*QUICK))


def test_golden_output_that_the_device_does_not_give(digits: Bench) -> None:
    import numpy as np

    path = digits.folder / "bundles" / "digits" / "golden.npz"
    arrays = dict(np.load(path))
    arrays["golden_0"][17, 3] ^= 1
    np.savez(path, **arrays)
    assert digits.flash().code == 0
    outcome = digits.check()
    assert outcome.code == 20
    assert_not_passed(outcome)
    assert "golden outputs or tolerances have changed since the build" in outcome.err
    # The build info now claims that the image was built with these outputs.
    info = json.loads((digits.folder / "build_info.json").read_text(encoding="utf-8"))
    info["models"][0]["expectations"] = expectations_sha256(path.parent)
    (digits.folder / "build_info.json").write_text(json.dumps(info), encoding="utf-8")
    outcome = digits.check()
    assert outcome.code == 60
    assert_not_passed(outcome)
    assert "17" in outcome.out + outcome.err


def test_some_samples_only_are_not_a_pass(digits: Bench) -> None:
    assert digits.flash().code == 0
    outcome = digits.check("--samples", "5", "--json")
    assert outcome.json["verdict"] != "pass"


@pytest.mark.parametrize("byte", [0, 40])
def test_one_damaged_byte_on_the_line(digits: Bench, byte: int) -> None:
    """A byte of the device's answers is flipped on its way to the host."""
    from pilotlight.check.connection import Target, connect
    from pilotlight.check.run import run_check
    from pilotlight.deadline import Deadline
    from pilotlight.errors import LinkCorrupted

    class Damaging:
        """The real link, which flips one byte after the session has begun."""

        def __init__(self, link: object) -> None:
            self._link = link
            self.name = link.name  # type: ignore[attr-defined]
            self._to_go = 3000 + byte

        def read(self, max_bytes: int, timeout_s: float) -> bytes:
            data = bytearray(self._link.read(max_bytes, timeout_s))  # type: ignore[attr-defined]
            if 0 <= self._to_go < len(data):
                data[self._to_go] ^= 0x10
            self._to_go -= len(data)
            return bytes(data)

        def write(self, data: bytes) -> None:
            self._link.write(data)  # type: ignore[attr-defined]

        def close(self) -> None:
            self._link.close()  # type: ignore[attr-defined]

    def damaged(folder: Path, deadline: Deadline) -> Target:
        target = connect(folder, deadline)
        return Target(Damaging(target.link), target.obituary)

    assert digits.flash().code == 0
    with pytest.raises(LinkCorrupted) as caught:
        run_check(digits.folder, connect=damaged, timeout_s=60)
    assert caught.value.exit_code == 51
    assert caught.value.hint
