# SPDX-License-Identifier: Apache-2.0
"""A tiny ViT: 32x32 images in 16 patches, width 32, two blocks of two heads."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from architecture import spec_of
from torch import nn

from pilotlight.model_spec import ModelSpec


class Block(nn.Module):
    width, heads = 32, 2

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(self.width), nn.LayerNorm(self.width)
        self.query, self.key, self.value, self.merge = (nn.Linear(self.width, self.width) for _ in range(4))
        self.feed = nn.Sequential(nn.Linear(self.width, 64), nn.GELU(), nn.Linear(64, self.width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.before(x)
        query, key, value = (self._heads(layer(y)) for layer in (self.query, self.key, self.value))
        weights = torch.softmax(query @ key.transpose(-1, -2) * 0.25, dim=-1)
        x = x + self.merge((weights @ value).transpose(1, 2).flatten(2))
        return x + self.feed(self.between(x))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, self.width // self.heads)).transpose(1, 2)


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(21)
        self.patches = nn.Conv2d(3, Block.width, 8, 8)
        self.place = nn.Parameter(torch.randn(1, 16, Block.width) * 0.3)
        self.blocks = nn.Sequential(Block(), Block())
        self.classifier = nn.Linear(Block.width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.place
        return self.classifier(self.blocks(x).mean(dim=1))


def spec() -> ModelSpec:
    return spec_of("tiny_vit", VisionTransformer(), 3, 32, 32)
