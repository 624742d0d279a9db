# SPDX-License-Identifier: Apache-2.0
"""Architectures that people run on small NPUs, with random weights.

Batch normalisation is folded into the weights, as exporters do. From MLPerf Tiny: MobileNetV1 0.25
at 96x96 (visual wake words), ResNet-8 (CIFAR shape), and the autoencoder for anomaly detection.
Also: the keyword transformer KWT-1 (Berg et al., 2021), a U-Net with two ways to upsample, and
recurrent cells.

Vela compiles the architectures in MIS_COMPILED wrongly. All others must be equal to the reference.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def _scaled(layer: Any, gain: float = 2.0) -> Any:
    """Draw weights that keep the variance of activations.

    With PyTorch's default weights, the signal of deep layers vanishes in 8 bits.
    """
    fan_in = layer.weight[0].numel()
    spread = torch.empty(layer.weight.shape[0], *[1] * (layer.weight.dim() - 1)).uniform_(0.5, 1.5)
    layer.weight.data = torch.randn_like(layer.weight) * (gain / fan_in) ** 0.5 * spread
    layer.bias.data = torch.randn_like(layer.bias) * 0.1
    return layer


class MobileNetV1(nn.Module):
    """Width 0.25, at 96x96: person or no person."""

    example = (torch.zeros(1, 3, 96, 96),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(11)
        layers: list[nn.Module] = [_scaled(nn.Conv2d(3, 8, 3, 2, 1)), nn.ReLU6()]
        channels = 8
        for out, stride in (
            *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
            *((128, 1),) * 5,
            *((256, 2), (256, 1)),
        ):
            layers += [_scaled(nn.Conv2d(channels, channels, 3, stride, 1, groups=channels)), nn.ReLU6()]
            layers += [_scaled(nn.Conv2d(channels, out, 1)), nn.ReLU6()]
            channels = out
        self.features = nn.Sequential(*layers)
        self.classifier = _scaled(nn.Linear(256, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.classifier(functional.avg_pool2d(self.features(x), 3).flatten(1)), dim=1)


class ResNet8(nn.Module):
    example = (torch.zeros(1, 3, 32, 32),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(12)
        self.stem = _scaled(nn.Conv2d(3, 16, 3, 1, 1))
        self.ways, self.shortcuts = nn.ModuleList(), nn.ModuleList()
        channels = 16
        for out, stride in ((16, 1), (32, 2), (64, 2)):
            first, second = nn.Conv2d(channels, out, 3, stride, 1), nn.Conv2d(out, out, 3, 1, 1)
            self.ways.append(nn.Sequential(_scaled(first), nn.ReLU(), _scaled(second)))
            self.shortcuts.append(nn.Identity() if stride == 1 else _scaled(nn.Conv2d(channels, out, 1, stride)))
            channels = out
        self.classifier = _scaled(nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for way, shortcut in zip(self.ways, self.shortcuts, strict=True):
            x = torch.relu(way(x) + shortcut(x))
        return torch.softmax(self.classifier(functional.avg_pool2d(x, 8, stride=1).flatten(1)), dim=1)


class Autoencoder(nn.Module):
    """The network for ToyADMOS: five frames of 128 mel bins pass through a bottleneck of eight
    values."""

    example = (torch.zeros(1, 640),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(13)
        sizes = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
        layers: list[nn.Module] = []
        for size, following in itertools.pairwise(sizes):
            layers += [_scaled(nn.Linear(size, following)), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class KeywordTransformer(nn.Module):
    """KWT-1: 98 frames of 40 coefficients, width 64, one head, norms after the sums.

    The model has three of the twelve blocks, because ExecuTorch takes more than ten minutes to
    export all. Query, key and value have one projection each. With the usual single projection,
    Vela's program is wrong (see FusedKeywordTransformer).
    """

    example = (torch.zeros(1, 98, 40),)
    width, blocks = 64, 3

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(14)
        self.embed = nn.Linear(40, self.width)
        self.token = nn.Parameter(torch.randn(1, 1, self.width) * 0.5)
        self.place = nn.Parameter(torch.randn(1, 99, self.width) * 0.3)
        self.projections = nn.ModuleList(self._projection() for _ in range(self.blocks))
        self.merge = nn.ModuleList(nn.Linear(self.width, self.width) for _ in range(self.blocks))
        self.feed = nn.ModuleList(
            nn.Sequential(nn.Linear(self.width, 256), nn.GELU(), nn.Linear(256, self.width)) for _ in range(self.blocks)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(self.width) for _ in range(2 * self.blocks))
        self.classifier = nn.Linear(self.width, 35)

    def _projection(self) -> nn.Module:
        return nn.ModuleList(nn.Linear(self.width, self.width) for _ in range(3))

    def _project(self, index: int, x: torch.Tensor) -> Sequence[torch.Tensor]:
        """Return query, key and value."""
        return [projection(x) for projection in self.projections[index]]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat((self.token, self.embed(x)), dim=1) + self.place
        for index in range(self.blocks):
            query, key, value = self._project(index, x)
            weights = torch.softmax(query @ key.transpose(-1, -2) * self.width**-0.5, dim=-1)
            x = self.norms[2 * index](x + self.merge[index](weights @ value))
            x = self.norms[2 * index + 1](x + self.feed[index](x))
        return self.classifier(x[:, 0])


class FusedKeywordTransformer(KeywordTransformer):
    """KWT-1's block as published: query, key and value are slices of one projection."""

    blocks = 1

    def _projection(self) -> nn.Module:
        return nn.Linear(self.width, 3 * self.width)

    def _project(self, index: int, x: torch.Tensor) -> Sequence[torch.Tensor]:
        return self.projections[index](x).chunk(3, dim=-1)


class UNet(nn.Module):
    """Two levels.

    One U-Net upsamples by a transposed convolution, the other by nearest neighbours and a
    convolution.
    """

    example = (torch.zeros(1, 3, 48, 48),)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(15)
        self.down = nn.ModuleList(self._twice(*pair) for pair in ((3, 8), (8, 16)))
        self.middle = self._twice(16, 32)
        self.grow = _scaled(nn.ConvTranspose2d(32, 16, 2, stride=2))
        self.shrink = _scaled(nn.Conv2d(16, 8, 1))
        self.up = nn.ModuleList(self._twice(*pair) for pair in ((32, 16), (16, 8)))
        self.head = _scaled(nn.Conv2d(8, 4, 1))

    @staticmethod
    def _twice(channels: int, out: int) -> nn.Module:
        first, second = nn.Conv2d(channels, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        return nn.Sequential(_scaled(first), nn.ReLU(), _scaled(second), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.down[0](x)
        coarse = self.down[1](functional.max_pool2d(fine, 2))
        deep = self.middle(functional.max_pool2d(coarse, 2))
        coarse = self.up[0](torch.cat((self.grow(deep), coarse), dim=1))
        grown = functional.interpolate(self.shrink(coarse), scale_factor=2.0, mode="nearest")
        return torch.sigmoid(self.head(self.up[1](torch.cat((grown, fine), dim=1))))


class GatedRecurrentCell(nn.Module):
    """Three steps of a GRU, written out. Input and output include the state."""

    example = (torch.zeros(1, 3, 20), torch.zeros(1, 24))

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(16)
        self.of_input, self.of_state = _scaled(nn.Linear(20, 72), 1.0), _scaled(nn.Linear(24, 72), 1.0)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        for step in range(3):
            reset, update, new = self.of_input(x[:, step]).chunk(3, dim=1)
            state_reset, state_update, state_new = self.of_state(state).chunk(3, dim=1)
            update = torch.sigmoid(update + state_update)
            new = torch.tanh(new + torch.sigmoid(reset + state_reset) * state_new)
            state = new + update * (state - new)
        return state


class LongShortTermCell(nn.Module):
    """Three steps of an LSTM, written out. Inputs: hidden state and cell; output: hidden state."""

    example = (torch.zeros(1, 3, 20), torch.zeros(1, 24), torch.zeros(1, 24))

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(17)
        self.of_input, self.of_state = _scaled(nn.Linear(20, 96), 1.0), _scaled(nn.Linear(24, 96), 1.0)

    def forward(self, x: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        for step in range(3):
            gates = self.of_input(x[:, step]) + self.of_state(hidden)
            enter, forget, new, leave = gates.chunk(4, dim=1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
            hidden = torch.sigmoid(leave) * torch.tanh(cell)
        return hidden


ARCHITECTURES = {
    "mobilenet_v1": MobileNetV1,
    "resnet8": ResNet8,
    "autoencoder": Autoencoder,
    "keyword_transformer": KeywordTransformer,
    "fused_keyword_transformer": FusedKeywordTransformer,
    "unet": UNet,
    "gru": GatedRecurrentCell,
    "lstm": LongShortTermCell,
}

# Vela 5.1 places a table beyond the 16 KiB of internal memory. It prints a message and continues.
TABLE_OUT_OF_BOUNDS = {("unet", "ethos-u55-32"), ("unet", "ethos-u55-64")}

MIS_COMPILED = {
    "fused_keyword_transformer": "Vela 5.1 multiplies the whole tensor where MATMUL's first operand is a slice",
}
