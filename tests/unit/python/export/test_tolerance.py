# SPDX-License-Identifier: Apache-2.0
"""Only outputs after operators that may round differently have a tolerance, and the tolerance is
small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pilotlight.bundle import EXACT, TensorInfo, load_model_info
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.golden.tolerance import NOISE, Spread, noisy

FLOAT = TensorInfo("y", "float32", (1, 4), 0.0, 0)
INT8 = TensorInfo("y", "int8", (1, 4), 0.5, 0)
INT64 = TensorInfo("y", "int64", (1, 4), 0.0, 0)

MIXED = """\
import torch
from pilotlight.model_spec import ModelSpec


class Mixed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(8, 8)
        self.second = torch.nn.Linear(8, 8)

    def forward(self, x):
        x = self.first(x)
        positive = torch.where(x > 0, x, 0.5 * x)
        return positive, self.second(torch.nn.functional.softplus(x)), x.argmax(1)


def spec() -> ModelSpec:
    torch.manual_seed(0)
    samples = [(torch.randn(1, 8),) for _ in range(4)]
    return ModelSpec("mixed", Mixed().eval(), samples[0], samples)
"""


def spread(info: TensorInfo, golden: list[float], with_noise: list[float]) -> Spread:
    found = Spread(info)
    found.add(np.array(golden, info.dtype), np.array(with_noise, info.dtype))
    return found


def test_outputs_are_exact_unless_an_operator_that_rounds_its_own_way_is_before_them(tmp_path: Path) -> None:
    model = tmp_path / "mixed.py"
    model.write_text(MIXED, encoding="utf-8")
    report = export_model(str(model), ExportOptions("ethos-u55-128"), tmp_path / "bundle")
    where, softplus, argmax = load_model_info(tmp_path / "bundle").tolerances
    # A comparison and a choice between two floats do not round. exp and log1p do.
    assert where == argmax == EXACT
    assert softplus.max_difference == 1.0 and softplus.max_share <= 0.05
    assert {"aten.where.self", "aten.exp.default", "aten.argmax.default"} <= {op.name for op in report.on_cpu}
    assert all(op.reason and op.where.startswith(str(model)) for op in report.on_cpu)


def test_a_quantised_output_may_be_a_step_off_in_few_values_however_little_the_noise_did() -> None:
    tolerance = spread(INT8, [1, 2, 3, 4], [1, 2, 3, 4]).tolerance()
    assert (tolerance.max_difference, tolerance.max_share) == (1.0, 0.01)
    assert spread(INT8, [1, 2, 3, 4], [1, 2, 3, 7]).tolerance().max_difference == 6.0


def test_a_float_output_has_a_tolerance_of_last_places() -> None:
    quiet = spread(FLOAT, [1.0, -3.0, 0.0, 0.5], [1.0, -3.0, 0.0, 0.5]).tolerance()
    assert 0 < quiet.max_difference < 1e-5
    assert spread(FLOAT, [1.0, 1.0, 1.0, 1.0], [1.0, 1.25, 1.0, 1.0]).tolerance().max_difference == 0.5


def test_indices_are_exact_whatever_the_noise_did() -> None:
    assert spread(INT64, [1, 2, 3, 4], [1, 2, 3, 9]).tolerance() == EXACT


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_noise_is_of_the_last_places(scale: float) -> None:
    value = scale * torch.randn(1000)
    change = (noisy(value, torch.Generator().manual_seed(0)) - value).abs().max()
    assert 0 < change <= 8 * NOISE * scale
    whole = torch.arange(4)
    assert noisy(whole, torch.Generator()) is whole
