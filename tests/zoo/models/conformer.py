# SPDX-License-Identifier: Apache-2.0
"""A Conformer block (Gulati et al., 2020): feed-forward, attention, convolution, feed-forward."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn
from torch.nn import functional

from pilotlight.model_spec import ModelSpec

_WIDTH, _FRAMES = 48, 32


def _feed_forward() -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, 4 * _WIDTH), nn.SiLU(), nn.Linear(4 * _WIDTH, _WIDTH))


class _Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.expand = nn.Conv1d(_WIDTH, 2 * _WIDTH, 1)
        self.depthwise = nn.Conv1d(_WIDTH, _WIDTH, 15, padding=7, groups=_WIDTH)
        self.batch_norm = nn.BatchNorm1d(_WIDTH)
        self.project = nn.Conv1d(_WIDTH, _WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.glu(self.expand(self.norm(x).transpose(1, 2)), 1)
        y = functional.silu(self.batch_norm(self.depthwise(y)))
        return self.project(y).transpose(1, 2)


class Conformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = _feed_forward(), _feed_forward()
        self.attention_norm, self.norm = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.attention = nn.MultiheadAttention(_WIDTH, 4, batch_first=True)
        self.convolution = _Convolution()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + 0.5 * self.first(x)
        y = self.attention_norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.convolution(x)
        return self.norm(x + 0.5 * self.last(x))


def spec() -> ModelSpec:
    samples = signals(_WIDTH, _FRAMES).transpose(1, 2).contiguous()
    return zoo_spec("conformer", Conformer, samples)
