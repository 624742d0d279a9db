# SPDX-License-Identifier: Apache-2.0
"""nn.GRU over a sequence of sixteen steps, and a linear layer."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(12, 24, batch_first=True)
        self.head = nn.Linear(24, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, _ = self.layer(x)
        return self.head(steps[:, -1])


def spec() -> ModelSpec:
    return zoo_spec("gru", Recurrent, signals(12, 16).transpose(1, 2).contiguous())
