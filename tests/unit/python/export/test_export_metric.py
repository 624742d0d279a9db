# SPDX-License-Identifier: Apache-2.0
"""A model with two inputs, a generator for a data set, and a metric: from model file to bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotlight.bundle import MetricInfo, load_model_info
from pilotlight.check.data_set import load_data_set
from pilotlight.check.measure import measured
from pilotlight.errors import ModelError
from pilotlight.export import ExportOptions, ExportReport, export_model

MODEL = """
import numpy as np
import torch
from torch import nn
from pilotlight.model_spec import ModelSpec, Metric

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 4), nn.Linear(3, 4)
    def forward(self, x, place):
        return self.a(x) + self.b(place), self.b(place)

def worst_row(outputs, labels):
    first, second = outputs
    assert first.shape == (30, 4) and len(labels) == 30
    return max(float(np.abs(row - label).max()) for row, label in zip(first, labels))

def samples():
    generator = torch.Generator().manual_seed(3)
    for _ in range(30):
        x, place = torch.randn(8, generator=generator), torch.rand(3, generator=generator)
        yield {"place": place, "x": x}

def labelled():
    for sample in samples():
        yield sample, [float(sample["x"].sum())] * 4

def spec() -> ModelSpec:
    torch.manual_seed(1)
    example = (torch.zeros(1, 8), torch.zeros(1, 3))
    return ModelSpec("two", Net().eval(), example, samples, labelled, metric=Metric(worst_row, higher_is_better=False))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    folder = tmp_path_factory.mktemp("metric")
    (folder / "model").mkdir()
    (folder / "model" / "two.py").write_text(MODEL, encoding="utf-8")
    report = export_model(str(folder / "model" / "two.py"), ExportOptions("ethos-u55-128"), folder / "out")
    return folder / "out", report


def test_the_report_has_the_metric_of_every_stage_and_what_changed(exported: tuple[Path, ExportReport]) -> None:
    bundle, report = exported
    metric = report.metric
    assert metric is not None and metric.name == "worst_row" and not metric.higher_is_better
    data = load_data_set(bundle, load_model_info(bundle))
    labels = np.array([np.array(label) for label in data.answers])
    assert metric.fp32 == pytest.approx(np.abs(data.fp32[0].reshape(30, 4) - labels).max(), rel=1e-6)
    assert metric.golden != metric.fp32 and abs(metric.golden - metric.fp32) < 0.1
    assert metric.changes.samples == 30 and metric.changes.count > 0
    assert [given.samples for given in report.inputs] == [30, 30]


def test_the_check_takes_a_function_from_the_model_file(exported: tuple[Path, ExportReport]) -> None:
    bundle, report = exported
    info = load_model_info(bundle)
    assert info.metric == MetricInfo("worst_row", higher_is_better=False, built_in=False)
    data = load_data_set(bundle, info)
    assert data.labels is None
    # The device's answers are the golden ones.
    found = measured(info, data, data.golden)
    assert found is not None and not found.problem and report.metric is not None
    assert (found.fp32, found.golden, found.device) == pytest.approx(
        (report.metric.fp32, report.metric.golden, report.metric.golden)
    )
    # Other answers have another value, so the figure is not copied.
    other = measured(info, data, (data.golden[0] // 2, data.golden[1]))
    assert other is not None and other.device != found.device

    source = Path(info.source)
    source.rename(source.with_suffix(".gone"))
    try:
        gone = measured(info, data, data.golden)
    finally:
        source.with_suffix(".gone").rename(source)
    assert gone is not None and "which is not there" in gone.problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("return max(", "return labels.mean() or max("),
            "metric 'worst_row' of the FP32 outputs raised AttributeError",
        ),
        (("labelled, metric", "samples, metric"), "metric 'worst_row' needs a data set with labels"),
        (("metric=Metric(worst_row, higher_is_better=False)", "metric='rsme'"), "there is no metric 'rsme'"),
        (
            ("generator=generator), torch.rand(3", "generator=generator), torch.nan * torch.rand(3"),
            "input 'place' has 3 NaN",
        ),
    ],
)
def test_what_a_user_got_wrong_is_named(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    assert change[0] in MODEL
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "two.py"
    file.write_text(MODEL.replace(*change), encoding="utf-8")
    with pytest.raises(ModelError, match=said) as caught:
        export_model(str(file), ExportOptions("ethos-u55-128"), tmp_path / "out")
    assert str(file) in str(caught.value)
