# SPDX-License-Identifier: Apache-2.0
"""KWT-1 (Berg et al., 2021): a transformer over the columns of a 98 x 40 spectrogram."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_FRAMES, _BANDS, _WIDTH = 98, 40, 64


class _Block(nn.Module):
    """Norms follow the sums, as in the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(_WIDTH, 1, batch_first=True)
        self.first_norm, self.second_norm = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.body = nn.Sequential(nn.Linear(_WIDTH, 256), nn.GELU(), nn.Linear(256, _WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first_norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.second_norm(x + self.body(x))


class KeywordTransformer(nn.Module):
    def __init__(self, depth: int = 12, classes: int = 35) -> None:
        super().__init__()
        self.project = nn.Linear(_BANDS, _WIDTH)
        self.answer = nn.Parameter(torch.randn(1, 1, _WIDTH))
        self.position = nn.Parameter(torch.randn(1, _FRAMES + 1, _WIDTH) * 0.5)
        self.blocks = nn.Sequential(*[_Block() for _ in range(depth)])
        self.head = nn.Linear(_WIDTH, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = torch.cat([self.answer.expand(x.shape[0], -1, -1), self.project(x)], 1)
        return self.head(self.blocks(tokens + self.position)[:, 0])


def spec() -> ModelSpec:
    samples = signals(_BANDS, _FRAMES).transpose(1, 2).contiguous()
    return zoo_spec("kwt1", KeywordTransformer, samples)
