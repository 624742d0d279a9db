# SPDX-License-Identifier: Apache-2.0
"""A detector with two scales. Each scale has one output of boxes and one of class scores."""

from __future__ import annotations

import torch
from _zoo import images, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_CLASSES, _BINS = 6, 4


def _block(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.SiLU(),
    )


class _Head(nn.Module):
    """Maps features to the distances to a box's four sides, and to scores."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.box = nn.Sequential(_block(channels, 16, 1), nn.Conv2d(16, 4 * _BINS, 1))
        self.score = nn.Sequential(_block(channels, 16, 1), nn.Conv2d(16, _CLASSES, 1))
        self.register_buffer("bins", torch.arange(_BINS).float())

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        distances = self.box(x).flatten(2).unflatten(1, (4, _BINS)).softmax(2)
        boxes = (distances * self.bins[None, None, :, None]).sum(2)
        return boxes, self.score(x).flatten(2).sigmoid()


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_block(3, 16, 2), _block(16, 32, 2))
        self.deep = _block(32, 48, 2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.fine, self.coarse = _Head(80), _Head(48)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shallow = self.stem(x)
        deep = self.deep(shallow)
        merged = torch.cat([self.up(deep), shallow], 1)
        return (*self.fine(merged), *self.coarse(deep))


def spec() -> ModelSpec:
    return zoo_spec("yolo_head", Detector, images(64))
