# SPDX-License-Identifier: Apache-2.0
"""State that forward reads and writes: a window that moves on, or a recurrent unit.

EXAMPLE_STATE: "window" or "recurrent". EXAMPLE_SEQUENCE=1 makes a sequence of the samples.
"""

import os

import torch
from torch import nn

from pilotlight.model_spec import LabelledData, ModelSpec


class Window(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 16)
        self.conv = nn.Conv1d(16, 8, 5)
        self.register_buffer("window", torch.zeros(1, 16, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        new = torch.relu(self.linear(x)).unsqueeze(-1)
        self.window.copy_(torch.cat((self.window[:, :, 1:], new), -1))
        return self.conv(self.window)[:, :, 0]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 16)
        self.inner = nn.Linear(16, 16)
        self.register_buffer("h", torch.zeros(1, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = torch.sigmoid(self.gate(x))
        h = z * torch.tanh(self.inner(self.h) + 1) + (1 - z) * self.h
        self.h.copy_(h)
        return h * 2


def spec() -> ModelSpec:
    torch.manual_seed(1)
    module = {"window": Window, "recurrent": Recurrent}[os.environ.get("EXAMPLE_STATE", "window")]()
    samples = torch.rand(40, 1, 8) * 2 - 1
    return ModelSpec(
        name="keeper",
        module=module.eval(),
        example_inputs=(samples[0],),
        calibration=[(sample,) for sample in samples[:20]],
        data_set=LabelledData(samples[20:, 0].numpy()),
        sequence=os.environ.get("EXAMPLE_SEQUENCE") == "1",
    )
