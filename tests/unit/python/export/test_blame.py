# SPDX-License-Identifier: Apache-2.0
"""`blame` shows each operator's result on each stage, and names the first one that diverges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pilotlight.cli import main
from pilotlight.export.upstream.tosa_values import TosaValues

MODEL = """
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(16, 4, 1)

    def forward(self, x):
        y = torch.cat([torch.relu(self.a(x)), self.b(x)], 1)
        {more}
        return torch.sigmoid(self.c(y))


def spec() -> ModelSpec:
    torch.manual_seed(1)
    data = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    samples = [(x[None],) for x in data[:8]]
    return ModelSpec("net", Net().eval(), (data[:1],), samples, LabelledData(data[8:].numpy()))
"""

# The same network, quantised by the user.
QUANTISED = """

def quantised() -> ModelSpec:
    from executorch.backends.arm.ethosu import EthosUCompileSpec
    from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    given = _spec()
    quantiser = EthosUQuantizer(EthosUCompileSpec("ethos-u55-128")).set_global(get_symmetric_quantization_config())
    graph = torch.export.export(given.module, given.example_inputs).module(check_guards=False)
    prepared = prepare_pt2e(graph, quantiser)
    for sample in given.calibration:
        prepared(*sample)
    return ModelSpec("net", convert_pt2e(prepared), given.example_inputs, given.calibration, given.data_set)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "net.py"
    file.write_text(MODEL.format(more=""), encoding="utf-8")
    return file


def blamed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["blame", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_result_is_shown_on_every_stage_and_none_is_to_blame(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = blamed(capsys, model, "--samples", "2")
    assert found["stages"] == ["FP32", "quantised PyTorch", "TOSA", "simulator"]
    rows = {row["operator"]: row for row in found["results"]}
    # `rows` has the last result of each operator name.
    assert list(rows) == ["input", "conv2d", "relu", "cat", "sigmoid"]
    assert all(row["furthest"] <= row["bound"] for row in found["results"] if row["bound"] is not None)
    assert found["first_beyond_bound"] is None and found["first_large_loss"] is None
    last = {agreement["stage"]: agreement for agreement in rows["sigmoid"]["agreements"]}
    assert last["quantised PyTorch"]["sqnr_db"] > 25
    assert last["simulator"]["against"] == "TOSA" and last["simulator"]["sqnr_db"] is None
    assert "net.py:" in rows["relu"]["where"]


def test_an_operator_that_quantising_ruins_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.py"
    # One value is a thousand times larger than the others, so these get no steps of the scale.
    file.write_text(MODEL.format(more="y = y + 1000.0 * (torch.arange(64).reshape(8, 8) == 63)"), encoding="utf-8")
    found = blamed(capsys, file, "--samples", "2")
    (row,) = (row for row in found["results"] if row["result"] == found["first_large_loss"])
    assert row["operator"] == "sigmoid" and row["loss_db"] > 10


def test_a_result_that_arithmetic_does_not_explain_is_named(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TosaValues.run
    monkeypatch.setattr("pilotlight.export.golden.comparison.Comparison.first_beyond", lambda comparison: None)
    monkeypatch.setattr("pilotlight.export.attempts.demand_outputs", lambda *_: None)

    def off(values: TosaValues, inputs: Any) -> dict[str, NDArray[Any]]:
        found = run(values, inputs)
        for name in (tensor.name for tensor in values.tensors if tensor.origin.operator == "TABLE"):
            found[name] = np.where(found[name] < 0, found[name] + 9, found[name] - 9).astype(np.int8)
        return found

    monkeypatch.setattr(TosaValues, "run", off)
    found = blamed(capsys, model, "--samples", "1")
    (row,) = (row for row in found["results"] if row["result"] == found["first_beyond_bound"])
    assert (row["operator"], row["furthest"], row["bound"]) == ("sigmoid", 9, 1)


def test_a_model_that_came_quantised_loses_nothing_by_quantising(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotlight.export.golden.comparison.Comparison.first_beyond", lambda comparison: None)
    monkeypatch.setattr("pilotlight.export.attempts.demand_outputs", lambda *_: None)
    run = TosaValues.run

    def off(values: TosaValues, inputs: Any) -> dict[str, NDArray[Any]]:
        found = run(values, inputs)
        for name in (tensor.name for tensor in values.tensors if tensor.origin.operator == "TABLE"):
            found[name] = np.where(found[name] < 0, 100, -100).astype(np.int8)
        return found

    monkeypatch.setattr(TosaValues, "run", off)
    file = tmp_path / "net.py"
    file.write_text(
        MODEL.format(more="").replace("def spec() -> ModelSpec:", "def _spec():") + QUANTISED, encoding="utf-8"
    )
    found = blamed(capsys, file, "--samples", "1")
    assert found["stages"] == ["quantised PyTorch", "TOSA", "simulator"]
    assert found["first_beyond_bound"] is not None and found["first_large_loss"] is None
    assert main(["blame", str(file), "--samples", "1"]) == 0
    assert "dB by quantising" not in capsys.readouterr().out


def test_a_picture_is_drawn_and_a_format_that_cannot_be_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "blame.png"
    assert main(["blame", str(model), "--samples", "1", "--picture", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG") and "Every result" in capsys.readouterr().out
    assert main(["blame", str(model), "--picture", "blame.bmp"]) == 20
    assert ".png" in capsys.readouterr().err
    assert main(["blame", str(model), "--samples", "0"]) == 20
