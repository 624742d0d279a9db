# SPDX-License-Identifier: Apache-2.0
"""Makes a ModelSpec of an architecture with random weights. Only its memory is of interest."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from pilotlight.model_spec import LabelledData, ModelSpec

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "npu"))


def spec_of(name: str, module: torch.nn.Module, *shape: int, samples: int = 4) -> ModelSpec:
    torch.manual_seed(5)
    data = torch.randn(samples, *shape)
    return ModelSpec(
        name=name,
        module=module.eval(),
        example_inputs=(data[:1],),
        calibration=[(sample[None],) for sample in data],
        data_set=LabelledData(inputs=data.numpy()),
    )
