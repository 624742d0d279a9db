# SPDX-License-Identifier: Apache-2.0
"""A U-Net of three levels. The zoo's U-Nets differ in how they upsample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

_WIDTH = 8


def _level(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [nn.Conv2d(channels, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out)]
        layers += [nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """`up` makes a layer that doubles height and width, from its numbers of channels."""

    def __init__(self, up: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.down = nn.ModuleList([_level(3, _WIDTH), _level(_WIDTH, 2 * _WIDTH), _level(2 * _WIDTH, 4 * _WIDTH)])
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList([up(4 * _WIDTH, 2 * _WIDTH), up(2 * _WIDTH, _WIDTH)])
        self.merge = nn.ModuleList([_level(4 * _WIDTH, 2 * _WIDTH), _level(2 * _WIDTH, _WIDTH)])
        self.head = nn.Conv2d(_WIDTH, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.down[0](x)
        second = self.down[1](self.pool(first))
        y = self.down[2](self.pool(second))
        for up, merge, skipped in zip(self.up, self.merge, (second, first), strict=True):
            y = merge(torch.cat([up(y), skipped], 1))
        return torch.sigmoid(self.head(y))
