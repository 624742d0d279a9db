# SPDX-License-Identifier: Apache-2.0
"""A bit-identical board does not pass a check that could not have found an error."""

from pathlib import Path

from workflow import Bench, build, run

# Boxes are in pixels, scores from 0 to 1. With one int8 scale for both, every score becomes 0.
MODEL = """\
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.boxes = nn.Conv2d(3, 4, 3, padding=1)
        self.scores = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        boxes, scores = self.boxes(x) * 100.0, (self.scores(x) - 3.0).sigmoid()
        return RESULT


def spec():
    torch.manual_seed(3)
    samples = torch.rand(16, 3, 8, 8)
    calibration = [(sample[None],) for sample in samples]
    return ModelSpec("head", Head().eval(), (samples[:1],), calibration, LabelledData(samples[8:].numpy()))
"""


def test_scores_lost_beside_boxes_make_the_check_weak_and_outputs_of_their_own_make_it_pass(tmp_path: Path) -> None:
    model = tmp_path / "head.py"
    model.write_text(MODEL.replace("RESULT", "torch.cat([boxes, scores], 1)"), encoding="utf-8")
    bench = Bench(build("weak-head", "-b", "qemu-corstone300", "-m", model))
    try:
        assert bench.flash().code == 0
        outcome = bench.check("--json")
    finally:
        run("poweroff", "-d", bench.folder)
    assert outcome.code == 61, outcome.out + outcome.err
    report = outcome.json
    (found,) = report["models"]
    assert (report["verdict"], report["exit_code"], found["verdict"]) == ("weak", 61, "weak")
    assert found["identical_samples"] == found["samples"] == 8
    assert "3 of 7 rows along axis 1, the first at index 4, are zero" in found["weak"][0]
    assert f"made by cat at {model}:14" in found["warnings"][0]

    model.write_text(MODEL.replace("RESULT", "boxes, scores"), encoding="utf-8")
    (repaired,) = Bench(build("weak-head", "-b", "qemu-corstone300", "-m", model)).passes()["models"]
    assert repaired["weak"] == repaired["warnings"] == []
