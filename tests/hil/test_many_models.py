# SPDX-License-Identifier: Apache-2.0
"""An image with five models: each answers bit-identically."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow import Bench, build

MODEL = """\
import torch
from pilotlight.model_spec import LabelledData, ModelSpec


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed({number})
        self.layer = torch.nn.Linear(8, 4)

    def forward(self, x):
        return self.layer(x)


def spec() -> ModelSpec:
    torch.manual_seed(100 + {number})
    samples = torch.randn(6, 8)
    return ModelSpec("many_{number}", Net().eval(), (samples[:1],), [(row[None],) for row in samples],
                     LabelledData(samples.numpy()))
"""


@pytest.mark.time_limit(1200)
def test_an_image_holds_more_than_four_models(tmp_path: Path) -> None:
    files = []
    for number in range(5):
        files.append(tmp_path / f"many_{number}.py")
        files[-1].write_text(MODEL.format(number=number), encoding="utf-8")
    models = [word for file in files for word in ("-m", file)]
    report = Bench(build("many-models", "-b", "qemu-corstone300", *models, "--shared-arena")).passes()
    assert [model["model"] for model in report["models"]] == [f"many_{number}" for number in range(5)]
    assert all(model["verdict"] == "pass" and model["identical_samples"] == 6 for model in report["models"])
