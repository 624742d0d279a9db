# SPDX-License-Identifier: Apache-2.0
"""State: a running average of features that the NPU computes, and a count.

Samples 0 and 2 are the same. EXAMPLE_SEQUENCE=1 makes a sequence of the samples.
"""

import os

import torch
from torch import nn

from pilotlight.model_spec import LabelledData, ModelSpec


class Average(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)
        self.register_buffer("average", torch.tensor([[0.5, 0.0, -0.25, 1.0]]))
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = nn.functional.relu(self.conv(x)).mean((2, 3))
        self.average.mul_(0.75).add_(features * 0.25)
        self.count.add_(1.0)
        return self.head(self.average), self.count + 0.0


def spec() -> ModelSpec:
    torch.manual_seed(3)
    samples = torch.randn(40, 1, 8, 8)
    samples[18] = samples[16]
    return ModelSpec(
        name="average",
        module=Average().eval(),
        example_inputs=(samples[:1],),
        calibration=[(sample[None],) for sample in samples[:16]],
        data_set=LabelledData(samples[16:].numpy()),
        sequence=os.environ.get("EXAMPLE_SEQUENCE") == "1",
    )
