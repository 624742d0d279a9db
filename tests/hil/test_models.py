# SPDX-License-Identifier: Apache-2.0
"""Models go through build, flash and check, and every held-out sample is bit-identical."""

import shutil
from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from workflow import RESIDUAL, Bench, Outcome, build, copy_of, run

from pilotlight.boards import load_board
from pilotlight.build_folder import BuildFolder


def prove(folder: Path) -> Outcome:
    """Flash and check, then power off. Return the check's outcome."""
    bench = Bench(folder)
    try:
        flashed = bench.flash()
        assert flashed.code == 0, flashed.err
        return bench.check("--json")
    finally:
        run("poweroff", "-d", folder)


def assert_proved(outcome: Outcome, samples: int) -> None:
    assert outcome.code == 0, outcome.out + outcome.err
    report = outcome.json
    assert report["verdict"] == "pass"
    (model,) = report["models"]
    assert model["identical_samples"] == model["samples"] == samples


def test_digits_are_bit_identical_and_as_accurate_as_in_pytorch(digits: Bench) -> None:
    outcome = prove(digits.folder)
    assert_proved(outcome, samples=360)
    accuracy = outcome.json["models"][0]["accuracy"]
    assert abs(accuracy["device"] - accuracy["fp32"]) <= 0.005 * accuracy["samples"]


def test_keywords_are_bit_identical(kws_build: Path, tmp_path: Path) -> None:
    assert_proved(prove(copy_of(kws_build, tmp_path / "build")), samples=360)


def test_a_model_from_outside_the_repository_is_bit_identical(tmp_path: Path) -> None:
    model = shutil.copy(RESIDUAL, tmp_path)
    assert_proved(prove(build("residual", "-b", "qemu-corstone300", "-m", model)), samples=16)


# The simulator's own tests run all sizes. Here, one size runs before each change lands.
@pytest.mark.parametrize(
    "npu",
    [
        pytest.param("ethos-u55-32", marks=pytest.mark.campaign),
        pytest.param("ethos-u55-64", marks=pytest.mark.campaign),
        "ethos-u55-256",
        *(pytest.param(f"ethos-u85-{macs}", marks=pytest.mark.campaign) for macs in (128, 512, 1024, 2048)),
        "ethos-u85-256",
    ],
)
def test_digits_are_bit_identical_on_other_sizes_of_the_npu(npu: str) -> None:
    folder = build(f"digits-{npu}", "-b", "qemu-corstone300", "-m", "digits", "--npu", npu)
    assert_proved(prove(folder), samples=360)


def test_digits_are_bit_identical_on_the_host_with_the_runtime_of_the_wheel() -> None:
    assert_proved(prove(build("digits-host", "-b", "host", "-m", "digits")), samples=360)


def test_digits_with_float_inputs_run_the_quantise_kernels_on_the_cpu(float_build: Path, tmp_path: Path) -> None:
    assert_proved(prove(copy_of(float_build, tmp_path / "build")), samples=360)


@pytest.mark.parametrize("npu", ["ethos-u65-256", "ethos-u65-512"])
def test_digits_are_bit_identical_on_an_ethos_u65(npu: str) -> None:
    assert_proved(
        prove(build(f"digits-{npu}", "-b", "qemu-corstone300-u65", "-m", "digits", "--npu", npu)), samples=360
    )


@pytest.mark.parametrize(
    ("board", "executable", "npu"),
    [
        ("corstone300-fvp", "FVP_Corstone_SSE-300_Ethos-U55", "ethos-u55-128"),
        ("corstone320-fvp", "FVP_Corstone_SSE-320", "ethos-u85-256"),
    ],
)
def test_an_image_links_for_an_fvp_and_fits_its_memories(board: str, executable: str, npu: str) -> None:
    folder = build(f"digits-{board}", "-b", board, "-m", "digits")
    regions = load_board(board).memory.values()
    with (folder / "firmware.elf").open("rb") as file:
        sections = [s for s in ELFFile(file).iter_sections() if s["sh_flags"] & SH_FLAGS.SHF_ALLOC and s["sh_size"]]
        assert {".vectors", ".text", ".model", ".tensor_arena", ".stack"} <= {s.name for s in sections}
        for each in sections:
            start, end = each["sh_addr"], each["sh_addr"] + each["sh_size"]
            assert any(region.origin <= start and end <= region.origin + region.size for region in regions), each.name
    assert BuildFolder(folder).info().npu == npu
    outcome = run("flash", "-d", folder, env={"PILOTLIGHT_FVP": "", "PATH": "/usr/bin:/bin"})
    assert outcome.code == 32
    assert executable in outcome.err
