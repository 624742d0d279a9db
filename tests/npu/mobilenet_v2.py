# SPDX-License-Identifier: Apache-2.0
"""The architecture MobileNetV2 1.0 (Sandler et al., 2018, table 2), with random weights.

Batch normalisation is folded into the convolutions, as an exporter would do. The weights keep the
variance of activations about the same from layer to layer, so nothing vanishes and ReLU6 saturates
sometimes.
"""

from __future__ import annotations

import torch
from torch import nn

# Per stage: expansion, channels, number of blocks, stride of the first block.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups)
    fan_in = channels_in // groups * kernel * kernel
    # Folded batch normalisation gives each channel its own scale.
    spread = torch.empty(channels_out, 1, 1, 1).uniform_(0.5, 1.5)
    layer.weight.data = torch.randn_like(layer.weight) * (2.0 / fan_in) ** 0.5 * spread
    layer.bias.data = torch.randn(channels_out) * 0.2
    return layer


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [_convolution(channels_in, hidden, 1), nn.ReLU6()]
        layers += [_convolution(hidden, hidden, 3, stride, groups=hidden), nn.ReLU6()]
        layers += [_convolution(hidden, channels_out, 1)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers: list[nn.Module] = [_convolution(3, 32, 3, stride=2), nn.ReLU6()]
        channels = 32
        for expansion, channels_out, count, stride in _STAGES:
            for index in range(count):
                layers.append(_Block(channels, channels_out, stride if index == 0 else 1, expansion))
                channels = channels_out
        layers += [_convolution(channels, 1280, 1), nn.ReLU6()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
