# SPDX-License-Identifier: Apache-2.0
"""PointNet (Qi et al., 2017) over 128 points, without its networks that transform coordinates."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec


def _shared(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [nn.Conv1d(channels_in, channels_out, 1), nn.BatchNorm1d(channels_out), nn.ReLU()]


class PointNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Sequential(*_shared(3, 32), *_shared(32, 64), *_shared(64, 128))
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.points(x).amax(2))


def spec() -> ModelSpec:
    return zoo_spec("pointnet", PointNet, signals(3, 128))
