# SPDX-License-Identifier: Apache-2.0
"""The regression corpus on the emulated board: no fault, no hang, the right error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import building  # noqa: E402
import regressions  # noqa: E402
import seeds  # noqa: E402


@pytest.fixture(scope="module")
def image() -> Path:
    return building.build(building.ROOT / "build/fuzz/board", source=HERE / "board") / "firmware.elf"


def run_on_board(image: Path, files: Sequence[Path], folder: Path) -> tuple[int, str]:
    """Start the emulator once for all `files`. Return its exit code and the board's output."""
    emulator = shutil.which("qemu-system-arm")
    assert emulator is not None, "qemu-system-arm is not installed; scripts/setup.sh --test does that"
    (folder / "list").write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
    command = [
        *(emulator, "-machine", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "stdio"),
        *("-semihosting-config", f"enable=on,target=native,arg=firmware,arg={folder / 'list'}"),
        *("-kernel", str(image)),
    ]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def test_each_file_of_the_regression_corpus_gets_its_error(image: Path, tmp_path: Path) -> None:
    expected = regressions.write(tmp_path)
    files = sorted(tmp_path.glob("*.pte"))
    code, said = run_on_board(image, files, tmp_path)
    assert code == 0, said[-2000:]
    assert f"END {len(files)}" in said
    got = {
        Path(path).stem: (stage, int(error))
        for path, stage, error in re.findall(r"^CASE (\S+): (\w+) (\d+) \d+\r?$", said, re.MULTILINE)
    }
    assert len(got) == len(files) > 250
    assert regressions.differences(expected, got, narrow=True) == {}


def test_what_fuzzing_found_does_no_harm_on_the_board(image: Path, tmp_path: Path) -> None:
    files = sorted((HERE / "findings").glob("*.pte"))
    code, said = run_on_board(image, files, tmp_path)
    assert code == 0, said[-2000:]
    assert f"END {len(files)}" in said


def test_good_programs_run_on_the_board(image: Path, tmp_path: Path) -> None:
    seeds.write(tmp_path)
    files = sorted((tmp_path / "loader").glob("*.pte"))
    code, said = run_on_board(image, files, tmp_path)
    assert code == 0, said[-2000:]
    assert len(re.findall(r": ran 0 0\r?$", said, re.MULTILINE)) == len(files) >= 15, said
