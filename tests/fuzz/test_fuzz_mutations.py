# SPDX-License-Identifier: Apache-2.0
"""Damaged programs and blobs are refused with one line in the log, or run within bounds.

All tests run under AddressSanitizer and UndefinedBehaviorSanitizer, at 64 bits and, as on the
target, at 32 bits.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import building  # noqa: E402
import mutations  # noqa: E402
import regressions  # noqa: E402
import seeds  # noqa: E402

WORD_BITS = ("64", "32")


@pytest.fixture(scope="module", params=WORD_BITS)
def machine(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Return the word size in bits, and the folder of the replay drivers built for it."""
    bits: str = request.param
    return bits, building.build(building.ROOT / f"build/fuzz/replay-{bits}", f"-DWORD_BITS={bits}")


@pytest.fixture(scope="module")
def seed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    seeds.write(folder)
    return folder


def _executed(said: str) -> int:
    found = re.search(r"^ *(\d+)  executions$", said, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _ran(said: str) -> int:
    """Return how many of the programs were still good and ran."""
    return sum(int(count) for count in re.findall(r"^ *(\d+)  ran 0x00 0$", said, re.MULTILINE))


def test_every_seed_runs_to_its_end(machine: tuple[str, Path], seed_folder: Path) -> None:
    files = sorted((seed_folder / "loader").glob("*.pte"))
    done = building.replay(machine[1], "loader", *files)
    assert done.returncode == 0, done.stderr
    assert _ran(done.stderr) == len(files) >= 15


def test_a_hundred_thousand_mutated_programs_are_refused_or_stay_within_bounds(
    machine: tuple[str, Path], seed_folder: Path, tmp_path: Path
) -> None:
    bits, folder = machine
    cases = tmp_path / "cases.bin"
    mutations.write(sorted((seed_folder / "loader").glob("*.pte")), 100_000, int(bits), cases)
    done = building.replay(folder, "loader", "--cases", cases)
    assert done.returncode == 0, done.stderr
    assert _executed(done.stderr) == 100_000
    # If the loader refused nearly all mutations, the test would prove little.
    assert _ran(done.stderr) > 5_000


def test_mutated_delegate_blobs_are_refused_or_stay_within_bounds(
    machine: tuple[str, Path], seed_folder: Path, tmp_path: Path
) -> None:
    cases = tmp_path / "cases.bin"
    mutations.write(sorted((seed_folder / "delegate").glob("*.bin")), 30_000, 1, cases)
    done = building.replay(machine[1], "delegate", "--cases", cases)
    assert done.returncode == 0, done.stderr
    assert _executed(done.stderr) == 30_000


def test_every_prefix_of_two_models_is_refused(machine: tuple[str, Path], seed_folder: Path) -> None:
    # The third file ends with padding. Padding belongs to the file too.
    names = ("cnn_u55_128.pte", "cnn_float_io_u55_128.pte", "constants.pte")
    models = [seed_folder / "loader" / name for name in names]
    done = building.replay(machine[1], "loader", *(part for model in models for part in ("--prefixes", model)))
    assert done.returncode == 0, done.stderr
    assert _executed(done.stderr) == sum(model.stat().st_size for model in models)
    assert _ran(done.stderr) == 0


def test_every_prefix_of_a_stream_of_frames_is_decoded_within_bounds(
    machine: tuple[str, Path], seed_folder: Path
) -> None:
    streams = sorted((seed_folder / "frames").glob("*.bin"))
    done = building.replay(machine[1], "frames", *(part for stream in streams for part in ("--prefixes", stream)))
    assert done.returncode == 0, done.stderr
    assert _executed(done.stderr) > 200


def test_each_file_of_the_regression_corpus_gets_its_error(machine: tuple[str, Path], tmp_path: Path) -> None:
    bits, folder = machine
    expected = regressions.write(tmp_path)
    done = building.replay(folder, "loader", "--print", *sorted(tmp_path.glob("*.pte")))
    assert done.returncode == 0, done.stderr
    got = regressions.verdicts(done.stdout)
    assert len(got) == len(list(tmp_path.glob("*.pte"))) > 250
    assert regressions.differences(expected, got, narrow=bits == "32") == {}


@pytest.mark.parametrize("target", ["loader", "delegate", "frames"])
def test_what_fuzzing_found_stays_fixed(machine: tuple[str, Path], target: str) -> None:
    """Inputs that once broke a rule. findings.json says which rule."""
    files = building.findings(target)
    done = building.replay(machine[1], target, *files)
    assert done.returncode == 0, done.stderr
    assert _executed(done.stderr) == len(files)
