# SPDX-License-Identifier: Apache-2.0
"""A model that is half on the NPU and half on the CPU builds, runs and passes the check.

The check says how exact it was.
"""

from pathlib import Path

import numpy as np
from workflow import Bench, build, run

# Between two parts on the NPU, softplus stays on the CPU in float, and so does argmax.
MIXED = """\
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = nn.functional.softplus(self.first(x))
        x = nn.functional.relu6(self.second(x))
        scores = self.head(nn.functional.avg_pool2d(x, 16).flatten(1))
        return scores, scores.argmax(1)


def spec() -> ModelSpec:
    torch.manual_seed(3)
    samples = torch.randn(24, 3, 16, 16)
    return ModelSpec(
        name="mixed",
        module=Mixed().eval(),
        example_inputs=(samples[:1],),
        calibration=[(sample[None],) for sample in samples[:8]],
        data_set=LabelledData(inputs=samples[8:].numpy()),
    )
"""


def test_a_mixed_model_is_within_its_tolerance_and_refused_where_all_must_be_delegated(tmp_path: Path) -> None:
    model = tmp_path / "mixed.py"
    model.write_text(MIXED, encoding="utf-8")
    folder = build("mixed", "-b", "qemu-corstone300", "-m", model)
    report = Bench(folder).passes()
    assert report["verdict"] == "pass"
    (model_report,) = report["models"]
    assert model_report["identical_samples"] + model_report["tolerated_samples"] == model_report["samples"] == 16
    assert model_report["values"] == 16 * (5 + 1)
    assert model_report["differing_values"] <= 1

    with np.load(folder / "bundles" / "mixed" / "golden.npz") as golden:
        for sample in (0, 15):
            np.save(tmp_path / "x.npy", golden["input_0"][sample][None])
            outputs = ("--output", tmp_path / "scores.npy", "--output", tmp_path / "class.npy")
            simulated = run(
                *("simulate", folder / "bundles" / "mixed" / "model.pte", "--input", tmp_path / "x.npy", *outputs),
                *("--json", "--layers", "--check-hazards"),
            )
            assert simulated.code == 0, simulated.err
            np.testing.assert_array_equal(np.load(tmp_path / "scores.npy")[0], golden["golden_0"][sample])
            np.testing.assert_array_equal(np.load(tmp_path / "class.npy")[0], golden["golden_1"][sample])
    said = simulated.json
    assert said["cpu_kernels"].startswith("PyTorch ")
    assert said["cpu_calls"]["aten::exp.out"] == said["cpu_calls"]["aten::argmax.out"] == 1
    assert said["delegates"] == 2 and {layer["delegate"] for layer in said["layers"]} == {0, 1}

    options = ("--npu", "ethos-u55-128", "-o", tmp_path / "bundle")
    outcome = run("export", model, *options, "--require-full-delegation")
    assert outcome.code == 11
    for operator in ("exp", "log1p", "where.self", "argmax"):
        assert f"\n  {operator} at {model}:" in outcome.err
