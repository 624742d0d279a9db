# SPDX-License-Identifier: Apache-2.0
"""Models go through build, flash and check, and every held-out sample is bit-identical."""

import shutil
from pathlib import Path

import pytest
from workflow import RESIDUAL, Bench, Outcome, build, copy_of, run


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


def test_the_same_image_links_for_the_fvp() -> None:
    folder = build("digits-fvp", "-b", "corstone300-fvp", "-m", "digits")
    outcome = run("flash", "-d", folder, env={"PILOTLIGHT_FVP": "", "PATH": "/usr/bin:/bin"})
    assert outcome.code == 32
    assert "FVP_Corstone_SSE-300_Ethos-U55" in outcome.err
