# SPDX-License-Identifier: Apache-2.0
"""A temporal convolutional network: causal dilated convolutions with residual sums."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn
from torch.nn import functional

from pilotlight.model_spec import ModelSpec


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, dilation: int) -> None:
        super().__init__()
        self.padding = 2 * dilation
        self.first = nn.Conv1d(channels_in, channels_out, 3, dilation=dilation)
        self.second = nn.Conv1d(channels_out, channels_out, 3, dilation=dilation)
        same = channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv1d(channels_in, channels_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.first(functional.pad(x, (self.padding, 0))))
        y = functional.relu(self.second(functional.pad(y, (self.padding, 0))))
        return functional.relu(y + self.shortcut(x))


class TemporalNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(_Block(6, 24, 1), _Block(24, 24, 2), _Block(24, 24, 4))
        self.head = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(x)[:, :, -1])


def spec() -> ModelSpec:
    return zoo_spec("tcn", TemporalNetwork, signals(6, 64))
