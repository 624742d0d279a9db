# SPDX-License-Identifier: Apache-2.0
"""Models go through build, flash and check, and every held-out sample comes back bit-identical."""

from pathlib import Path

import pytest
from workflow import Bench, Outcome, build, run

# Strided, dilated and grouped convolutions, both poolings, residual adds, a linear head.
THIRD_MODEL = """\
import torch
from pilotlight.model_spec import LabelledData, ModelSpec


class Residual(torch.nn.Module):
    def __init__(self, channels, **options):
        super().__init__()
        self.convolution = torch.nn.Conv2d(channels, channels, 3, **options)

    def forward(self, x):
        return torch.relu(x + self.convolution(x))


def spec() -> ModelSpec:
    torch.manual_seed(7)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        Residual(16, padding=2, dilation=2),
        torch.nn.MaxPool2d(2),
        Residual(16, padding=1, groups=4),
        torch.nn.Conv2d(16, 24, 3, stride=2, padding=1, groups=2),
        torch.nn.ReLU(),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(24 * 2 * 2, 5),
    ).eval()
    samples = torch.randn(24, 3, 32, 32)
    return ModelSpec(
        name="third",
        module=module,
        example_inputs=(samples[:1],),
        calibration=[(sample[None],) for sample in samples[:8]],
        data_set=LabelledData(inputs=samples[8:].numpy()),
    )
"""


def prove(folder: Path) -> Outcome:
    """Flash and check; the target is off again afterwards."""
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


def test_digits_are_bit_identical_and_as_accurate_as_in_pytorch(digits_build: Path) -> None:
    outcome = prove(digits_build)
    assert_proved(outcome, samples=360)
    accuracy = outcome.json["models"][0]["accuracy"]
    assert abs(accuracy["device"] - accuracy["fp32"]) <= 0.005 * accuracy["samples"]


def test_keywords_are_bit_identical() -> None:
    assert_proved(prove(build("kws", "-b", "qemu-corstone300", "-m", "kws")), samples=360)


def test_a_model_from_outside_the_repository_is_bit_identical(tmp_path: Path) -> None:
    model = tmp_path / "third_model.py"
    model.write_text(THIRD_MODEL, encoding="utf-8")
    assert_proved(prove(build("third", "-b", "qemu-corstone300", "-m", model)), samples=16)


# The simulator's own tests run all sizes; here one is enough before each change lands.
@pytest.mark.parametrize(
    "npu",
    [
        pytest.param("ethos-u55-32", marks=pytest.mark.campaign),
        pytest.param("ethos-u55-64", marks=pytest.mark.campaign),
        "ethos-u55-256",
    ],
)
def test_digits_are_bit_identical_on_other_sizes_of_the_npu(npu: str) -> None:
    folder = build(f"digits-{npu}", "-b", "qemu-corstone300", "-m", "digits", "-t", npu)
    assert_proved(prove(folder), samples=360)


def test_digits_are_bit_identical_on_the_host_with_the_runtime_of_the_wheel(digits_build: Path) -> None:
    assert_proved(prove(build("digits-host", "-b", "host", "-m", "digits")), samples=360)


def test_digits_with_float_inputs_run_the_quantise_kernels_on_the_cpu() -> None:
    folder = build("digits-float", "-b", "qemu-corstone300", "-m", "digits", "--float-io")
    assert_proved(prove(folder), samples=360)


def test_the_same_image_links_for_the_fvp() -> None:
    folder = build("digits-fvp", "-b", "corstone300-fvp", "-m", "digits")
    outcome = run("flash", "-d", folder, env={"PILOTLIGHT_FVP": "", "PATH": "/usr/bin:/bin"})
    assert outcome.code == 32
    assert "FVP_Corstone_SSE-300_Ethos-U55" in outcome.err
