# SPDX-License-Identifier: Apache-2.0
"""A one-dimensional residual CNN that classifies heartbeats."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn
from torch.nn import functional

from pilotlight.model_spec import ModelSpec


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 5, padding=2),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 5, padding=2),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool1d(functional.relu(self.body(x) + x), 5, 2)


def _network() -> nn.Sequential:
    blocks = [_Block(32) for _ in range(4)]
    head = [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5)]
    return nn.Sequential(nn.Conv1d(1, 32, 5), *blocks, *head)


def spec() -> ModelSpec:
    return zoo_spec("ecg_cnn", _network, signals(1, 187))
