# SPDX-License-Identifier: Apache-2.0
"""What Vela compiled wrongly does not leave the exporter."""

from pathlib import Path

import numpy as np
import pytest

from pilotlight.errors import ModelError
from pilotlight.export import export_model
from pilotlight.export.confirm import confirm

# Vela 5.1 multiplies the whole of linear(x) where MATMUL's first operand is a slice of it.
FUSED_PROJECTIONS = """\
import torch
from pilotlight.model_spec import ModelSpec


class Scores(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.projections = torch.nn.Linear(16, 48)

    def forward(self, x):
        q, k, _ = self.projections(x).chunk(3, dim=-1)
        return torch.matmul(q, k.transpose(1, 2))


def spec() -> ModelSpec:
    torch.manual_seed(0)
    x = torch.randn(1, 9, 16)
    return ModelSpec("fused", Scores().eval(), (x,), [(x,)])
"""


def test_a_model_that_vela_miscompiles_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "fused.py"
    model.write_text(FUSED_PROJECTIONS, encoding="utf-8")
    with pytest.raises(ModelError, match="Vela's commands"):
        export_model(str(model), "ethos-u55-128", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_program_that_answers_otherwise_is_refused_and_a_right_one_is_not(tmp_path: Path) -> None:
    export_model("digits", "ethos-u55-128", tmp_path / "bundle")
    pte = (tmp_path / "bundle" / "model.pte").read_bytes()
    arrays = np.load(tmp_path / "bundle" / "golden.npz")
    inputs, golden = arrays["input_0"][0].reshape(1, 1, 8, 8), arrays["golden_0"][0].reshape(1, 10)
    assert confirm(pte, [([inputs], [golden])]) == ""
    with pytest.raises(ModelError, match="differs from the TOSA reference in 1 of 10 values"):
        confirm(pte, [([inputs], [golden ^ np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0], np.int8)])])
