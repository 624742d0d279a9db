# SPDX-License-Identifier: Apache-2.0
"""Small networks that together use most functions of the NPU. Weights have fixed seeds."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class ConvolutionalNetwork(nn.Module):
    """A convolutional network with a linear head and softmax.

    Its convolutions are strided, dilated, grouped and asymmetrically padded; it also has pools and
    a residual sum.
    """

    example = (torch.zeros(1, 3, 30, 27),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.stem = nn.Conv2d(3, 12, 5, stride=2, padding=2)
        # The NPU traverses four taps at distance two at once; this kernel has five.
        self.dilated = nn.Conv2d(12, 12, 5, padding=4, dilation=2)
        self.grouped = nn.Conv2d(12, 24, 3, padding=1, groups=3)
        self.wide = nn.Conv2d(24, 40, (1, 7), stride=(1, 3))
        self.depthwise = nn.Conv2d(40, 40, 3, padding=1, groups=40)
        self.far = nn.Conv2d(40, 20, 3, stride=3, padding=1)
        self.head = nn.Linear(20, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = x + torch.relu(self.dilated(x))
        x = functional.max_pool2d(self.grouped(x), 3, stride=2, padding=1)
        x = functional.pad(self.wide(x), (1, 0, 0, 1))
        x = x * torch.sigmoid(self.depthwise(x))
        x = functional.avg_pool2d(x, 2, stride=1)
        x = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        x = torch.relu(self.far(x)).mean((2, 3))
        return torch.softmax(self.head(x), dim=1)


class KeywordSpotter(nn.Module):
    """DS-CNN of MLPerf Tiny, at half its width, with softmax."""

    example = (torch.zeros(1, 1, 49, 10),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        width = 32
        layers: list[nn.Module] = [nn.Conv2d(1, width, (10, 4), stride=2, padding=(5, 1)), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Conv2d(width, width, 3, padding=1, groups=width), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, 12)
        # PyTorch's own initialisation shrinks the signal in each layer, until only biases are left.
        for layer in (*layers, self.classifier):
            if not isinstance(layer, nn.ReLU):
                layer.weight.data *= 2.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.classifier(self.features(x).mean((2, 3))), dim=1)


class Transformer(nn.Module):
    """Layer norm, two attention heads with softmax, GELU."""

    example = (torch.zeros(1, 9, 24),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.before = nn.LayerNorm(24)
        self.project = nn.Linear(24, 72)
        self.merge = nn.Linear(24, 24)
        self.after = nn.LayerNorm(24)
        self.feed = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part.reshape(1, 9, 2, 12).transpose(1, 2) for part in self.project(self.before(x)).chunk(3, dim=-1)
        )
        weights = torch.softmax(query @ key.transpose(-1, -2) * 0.2887, dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(1, 9, 24)
        x = x + self.merge(mixed)
        return x + self.feed(self.after(x))


class Oddments(nn.Module):
    """Operators that the other networks lack.

    The operators are transposed convolution, resize, concatenation, min, max, sub, abs, clamp, and
    tables.
    """

    example = (torch.zeros(1, 6, 10, 12),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.up = nn.ConvTranspose2d(6, 10, 3, stride=2, padding=1, output_padding=1)
        self.squeeze = nn.Conv2d(6, 10, 1)
        self.mix = nn.Conv2d(26, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grown = functional.hardswish(self.up(x))
        resized = functional.interpolate(torch.tanh(self.squeeze(x)), scale_factor=2.0, mode="nearest")
        doubled = functional.interpolate(functional.leaky_relu(x, 0.1), scale_factor=2.0, mode="nearest")
        low = torch.minimum(grown, resized) - torch.maximum(grown, resized) * 0.5
        y = torch.cat((low, torch.abs(resized), doubled), dim=1)
        y = self.mix(y).permute(0, 2, 1, 3)[:, 1:17]
        return torch.clamp(y, -0.7, 1.1).sum(dim=3, keepdim=True)


NETWORKS = {
    "convolutional": ConvolutionalNetwork,
    "keyword": KeywordSpotter,
    "transformer": Transformer,
    "oddments": Oddments,
}
