# SPDX-License-Identifier: Apache-2.0
"""Answers that quantisation ruins without an error, and data with which no check could fail.

Both are reported.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from pilotlight.bundle import TensorInfo, Tolerance, load_model_info
from pilotlight.errors import ModelError
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.model.model_file import load_model
from pilotlight.export.model.samples import Samples, Shapes, demand_finite
from pilotlight.export.origins import output_origins
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.report.accuracy import output_accuracy, sqnr_db, worst_slices
from pilotlight.export.report.findings import Findings, Origin, findings
from pilotlight.export.report.input_data import InputStatistics
from pilotlight.export.report.terminal import render

SAMPLES = 20
BOXES = TensorInfo("boxes", "int8", (1, 7, 8), 1.25, -128)
SCORES = TensorInfo("scores", "int8", (1, 4), 1 / 256, -128)
CAT = Origin("cat at net.py:19: torch.cat(...)", depends_on_input=True)
random = np.random.default_rng(1)


def stored(info: TensorInfo, fp32: Any) -> Any:
    return np.clip(np.round(fp32 / info.scale) + info.zero_point, -128, 127).astype(np.int8)


def found(info: TensorInfo, fp32: Any, golden: Any = None, origin: Origin = CAT) -> Findings:
    fp32 = fp32.astype(np.float32)
    golden = stored(info, fp32) if golden is None else golden
    accuracy = output_accuracy(info, fp32, golden, golden)
    samples = np.arange(len(fp32)).reshape(-1, 1)
    return findings([], [info], [accuracy], [origin], {"input_0": samples, "fp32_0": fp32, "golden_0": golden})


def boxes_and_scores() -> Any:
    boxes = random.uniform(20, 300, (SAMPLES, 4, 8))
    return np.concatenate([boxes, random.uniform(0, 0.6, (SAMPLES, 3, 8))], axis=1)


def test_scores_beside_pixels_are_a_warning_with_line_and_remedy_and_make_the_check_weak() -> None:
    fp32 = boxes_and_scores()
    whole = sqnr_db(fp32, (stored(BOXES, fp32).astype(float) + 128) * BOXES.scale)
    assert whole is not None and whole > 40, "which hides it"
    result = found(BOXES, fp32)
    (warning,), (weak,) = result.warnings, result.weak
    assert "3 of 7 slices along axis 1 below 10 dB, the worst at index" in warning and "0.0 dB" in warning
    assert "made by cat at net.py:19" in warning and "separate outputs" in warning
    assert "3 of 7 rows along axis 1, the first at index 4" in weak


def test_rows_that_never_change_are_weak_and_a_few_of_many_are_a_warning() -> None:
    fp32 = random.uniform(20, 300, (SAMPLES, 20, 8))
    info = TensorInfo("y", "int8", (1, 20, 8), 1.25, -128)
    golden = stored(info, fp32)
    golden[:, 3] = 7
    (warning,) = [text for text in found(info, fp32, golden).warnings if "1 of 20 rows along axis 1" in text]
    assert "the first at index 3, are the same in all golden outputs but not in FP32" in warning
    golden[:, 9] = -3
    assert "2 of 20 rows along axis 1" in found(info, fp32, golden).weak[0]
    fp32[:, 3], fp32[:, 9] = 5, 9
    fp32[4, 3] = np.nan
    assert not [text for text in found(info, fp32, golden).weak if "rows" in text], "nor does FP32, but for NaN"


def test_the_worst_slice_of_each_axis_is_that_which_was_disturbed() -> None:
    fp32 = random.uniform(50, 300, (SAMPLES, 7, 8))
    golden = fp32.copy()
    golden[:, 2, :] += 3
    golden[:, :, 5] += 4
    slices = worst_slices(BOXES, fp32, golden)
    assert [(each.axis, each.index) for each in slices] == [(1, 2), (2, 5)]
    assert slices[1].sqnr_golden_db == pytest.approx(sqnr_db(fp32[:, :, 5], golden[:, :, 5]))


def test_an_output_that_is_bad_as_a_whole_is_a_warning() -> None:
    fp32 = random.uniform(50, 300, (SAMPLES, 7, 8))
    (warning,) = found(BOXES, fp32, stored(BOXES, fp32[::-1])).warnings
    assert "SQNR" in warning and "made by cat" in warning


def test_good_answers_and_classes_that_no_sample_is_of_are_no_finding() -> None:
    assert found(BOXES, random.uniform(20, 300, (SAMPLES, 7, 8))) == Findings((), ())
    scores = np.full((SAMPLES, 4), 1e-5)
    scores[np.arange(SAMPLES), np.arange(SAMPLES) % 2] = 0.99
    assert found(SCORES, scores) == Findings((), ())
    few = np.array([[0.01, 90.0, 120.0, 7.0, 300.0, 1.0, 10.0]]).repeat(8, 1).reshape(1, 7, 8)
    assert found(BOXES, few) == Findings((), ()), "one sample has too few values in a slice"


@pytest.mark.parametrize(
    ("fp32", "golden", "said"),
    [
        (
            random.uniform(20, 300, (SAMPLES, 7, 8)),
            np.full((SAMPLES, 7, 8), 5, np.int8),
            "is the same in all 20 golden",
        ),
        (np.zeros((SAMPLES, 7, 8)), None, "FP32 gives only zeros"),
        (np.full((SAMPLES, 7, 8), np.nan), np.zeros((SAMPLES, 7, 8), np.int8), "NaN or infinity in 20 of 20 samples"),
        (random.uniform(0.1, 0.5, (1, 7, 8)), None, "the golden output is all zeros"),
    ],
)
def test_answers_that_could_not_be_found_wrong_make_the_check_weak(fp32: Any, golden: Any, said: str) -> None:
    assert any(said in reason for reason in found(BOXES, fp32, golden).weak)


def test_answers_that_a_tolerance_takes_for_each_other_make_the_check_weak() -> None:
    info = TensorInfo("y", "float32", (1, 8), 0.0, 0)
    golden = random.uniform(0.9, 1.0, (SAMPLES, 8)).astype(np.float32)
    accuracy = [output_accuracy(info, golden, golden, golden)]
    arrays = {"fp32_0": golden, "golden_0": golden}
    for tolerance, count in ((Tolerance(0.2, 1.0), 1), (Tolerance(0.01, 1.0), 0), (Tolerance(0.2, 0.5), 0)):
        assert len(findings([], [info], accuracy, [CAT], arrays, [tolerance]).weak) == count


def test_an_output_that_is_a_constant_by_design_is_not_weak() -> None:
    constant = random.uniform(20, 300, (1, 7, 8)).repeat(SAMPLES, axis=0)
    assert found(BOXES, constant).weak
    assert not found(BOXES, constant, origin=Origin("", depends_on_input=False)).weak


def test_a_class_that_is_the_same_beside_scores_that_are_not_is_a_warning() -> None:
    classes = TensorInfo("class", "int64", (1,), 0.0, 0)
    fp32, same = random.uniform(20, 300, (SAMPLES, 7, 8)), np.zeros(SAMPLES)
    arrays = {"fp32_0": fp32, "golden_0": stored(BOXES, fp32), "fp32_1": same, "golden_1": same.astype(np.int64)}
    accuracy = [
        output_accuracy(info, arrays[f"fp32_{i}"], arrays[f"golden_{i}"], arrays[f"golden_{i}"])
        for i, info in enumerate((BOXES, classes))
    ]
    result = findings([], [BOXES, classes], accuracy, [CAT, CAT], arrays)
    assert len(result.warnings) == 1 and "class is the same" in result.warnings[0] and not result.weak
    assert "class is the same in all 20" in found(classes, same, same.astype(np.int64)).weak[0], "when it is alone"


def test_one_sample_that_is_all_zeros_is_a_warning() -> None:
    fp32 = random.uniform(20, 300, (SAMPLES, 7, 8))
    golden = stored(BOXES, fp32)
    golden[3] = BOXES.zero_point
    assert any("all zeros in 1 of 20 golden outputs" in text for text in found(BOXES, fp32, golden).warnings)


CALIBRATION = [np.array([[0.0, 1.0]], np.float32), np.array([[0.5, 0.9]], np.float32)]


@pytest.mark.parametrize(
    ("samples", "warning", "weak"),
    [
        ([[0.1, 0.2], [1.0, 1.001]], "", ""),
        ([[0.1, 0.2]] * 40 + [[0.3, 4.0]], "1.2% of the values are outside the calibrated range 0 to 1", ""),
        ([[0.1, 255.0], [200.0, 9.0]], "", "75.0% of the values are outside the calibrated range 0 to 1, by up to 254"),
        ([[0.1, np.nan], [np.inf, 0.2], [0.1, 0.3]], "", "NaN or infinity in 2 of 3 samples"),
        ([[0.0, 0.0], [0.1, 0.2]], "all zeros in 1 of 2 samples", ""),
        ([[0.1, 0.2], [0.1, 0.2]], "", "all 2 samples of the data set are the same"),
    ],
)
def test_the_data_set_is_held_against_calibration(samples: list[list[float]], warning: str, weak: str) -> None:
    asked = [np.array([sample], np.float32) for sample in samples]
    statistics = InputStatistics("x")
    for value in CALIBRATION:
        statistics.calibrate(value)
    for value in asked:
        statistics.add(value)
    given = statistics.result()
    result = findings([given], [], [], [], {"input_0": np.stack(asked)})
    for texts, said in ((result.warnings, warning), (result.weak, weak)):
        assert len(texts) == bool(said) and all(said in text for text in texts)


@pytest.mark.parametrize(
    ("value", "said", "hint"),
    [(np.nan, "1 NaN", "correct its source"), (-np.inf, "1 infinite values", "finfo")],
)
def test_calibration_that_no_range_holds_is_refused_with_its_place(value: float, said: str, hint: str) -> None:
    with pytest.raises(ModelError, match=f"calibration, sample 1: input 'x' has {said}") as caught:
        rows = np.stack([CALIBRATION[0].reshape(-1)[:2], np.array([value, 1.0], np.float32)])
        demand_finite(Samples("calibration", rows, Shapes((torch.zeros(1, 2),), ("x",))))
    assert hint in caught.value.hint


MODEL = """
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec

class Net(nn.Module):
    def forward(self, x):
        a, b = x[:, :4], x[:, 4:]
        return torch.cat([a * 300.0, (b - 2).sigmoid()], 1)

def spec():
    x = torch.rand(24, 7, 8, generator=torch.Generator().manual_seed(0))
    return ModelSpec("mixed", Net().eval(), (x[:1],), [(s[None],) for s in x[:8]], LabelledData(x[8:].numpy()))
"""


def test_the_bundle_and_the_terminal_carry_what_an_export_found(tmp_path: Path) -> None:
    (tmp_path / "mixed.py").write_text(MODEL)
    report = export_model(str(tmp_path / "mixed.py"), ExportOptions("ethos-u55-128"), tmp_path / "out")
    out = io.StringIO()
    Console(file=out, width=2000).print(render(report))
    (warning,) = load_model_info(tmp_path / "out").warnings
    (weak,) = load_model_info(tmp_path / "out").weak
    saved = json.loads((tmp_path / "out" / "report.json").read_text())
    assert saved["warnings"] == [warning] and saved["weak"] == [weak]
    assert f"made by cat at {tmp_path / 'mixed.py'}:9" in warning and "3 of 7 rows" in weak
    assert f"warning: {warning}" in out.getvalue() and f"WEAK, the check could hardly fail: {weak}" in out.getvalue()
    assert "worst slice: 0.0 dB at index" in out.getvalue()


class Anchors(torch.nn.Module):
    """The second output is the same for every input."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x + 1, torch.arange(4).float() * 2


def test_the_layer_of_a_sequence_that_made_an_output_is_named(tmp_path: Path) -> None:
    layers = "nn.Sequential(nn.Linear(8, 8), nn.Sigmoid()).eval()"
    (tmp_path / "mixed.py").write_text(MODEL.replace("Net().eval()", layers))
    spec = load_model(tmp_path / "mixed.py")
    (origin,) = output_origins(capture(spec), 1)
    assert origin.operator.startswith("sigmoid at ") and origin.operator.endswith("(module 1)")
    assert origin.depends_on_input
    fixed = capture(replace(spec, module=Anchors().eval()))
    assert [each.depends_on_input for each in output_origins(fixed, 2)] == [True, False]
