# SPDX-License-Identifier: Apache-2.0
"""A face detector in the manner of BlazeFace (Bazarevsky et al., 2019): wide depthwise blocks."""

from __future__ import annotations

import torch
from _zoo import images, zoo_spec
from torch import nn
from torch.nn import functional

from pilotlight.model_spec import ModelSpec


class _Block(nn.Module):
    """A residual sum around a 5 x 5 depthwise convolution; the shortcut pools and pads channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, channels_out - channels_in
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_in, 5, stride, 2, groups=channels_in),
            nn.Conv2d(channels_in, channels_out, 1),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = functional.max_pool2d(x, 2) if self.stride == 2 else x
        if self.added:
            shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.added))
        return functional.relu(self.body(x) + shortcut)


class BlazeFace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 5, 2, 2), nn.BatchNorm2d(24), nn.ReLU())
        self.body = nn.Sequential(_Block(24, 24, 1), _Block(24, 28, 1), _Block(28, 48, 2))
        self.deep = nn.Sequential(_Block(48, 48, 1), _Block(48, 64, 2), _Block(64, 64, 1))
        self.scores, self.boxes = nn.Conv2d(48, 2, 1), nn.Conv2d(48, 32, 1)
        self.deep_scores, self.deep_boxes = nn.Conv2d(64, 6, 1), nn.Conv2d(64, 96, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shallow = self.body(self.stem(x))
        deep = self.deep(shallow)
        scores = [self.scores(shallow), self.deep_scores(deep)]
        boxes = [self.boxes(shallow), self.deep_boxes(deep)]
        score = torch.cat([y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, 1) for y in scores], 1)
        box = torch.cat([y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, 16) for y in boxes], 1)
        return score.sigmoid(), box


def spec() -> ModelSpec:
    return zoo_spec("blazeface", BlazeFace, images(64))
