# SPDX-License-Identifier: Apache-2.0
"""The networks that are compared with the reference on Ethos-U85.

A function per network returns the module, and samples for the calibration of which the first is the
example. Weights of networks without training have fixed seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from exported import Exported, export
from mobilenet_v2 import MobileNetV2
from torch import nn

from pilotlight.export.model.model_file import load_model

NPU = "ethos-u85-256"
_ROOT = Path(__file__).parents[2]
_CALIBRATION = 4

Samples = Sequence[tuple[torch.Tensor, ...]]


class CatRelu(nn.Module):
    """A ReLU in one branch of a concatenation, as in a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3, padding=1)
        self.mix = nn.Conv2d(16, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mix(torch.cat([torch.relu(self.first(x)), self.second(x)], 1))


class VisionTransformer(nn.Module):
    """Patches of 8x8 of a 32x32 picture, a class token, two blocks with three heads."""

    width, heads, blocks = 48, 3, 2

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(21)
        self.patch = nn.Conv2d(3, self.width, 8, stride=8)
        self.token = nn.Parameter(torch.randn(1, 1, self.width))
        self.place = nn.Parameter(torch.randn(1, 17, self.width) * 0.5)
        layers = [
            nn.TransformerEncoderLayer(
                self.width, self.heads, 4 * self.width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(self.blocks)
        ]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(self.width)
        self.head = nn.Linear(self.width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token, x), 1) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


def _noise(shape: tuple[int, ...], count: int = _CALIBRATION) -> Samples:
    generator = torch.Generator().manual_seed(9)
    return [(torch.randn(shape, generator=generator),) for _ in range(count)]


def _catrelu() -> tuple[nn.Module, Samples]:
    return CatRelu(), _noise((1, 3, 16, 16))


def _vision_transformer() -> tuple[nn.Module, Samples]:
    return VisionTransformer(), _noise((1, 3, 32, 32))


def _mobilenet_v2() -> tuple[nn.Module, Samples]:
    return MobileNetV2(), _noise((1, 3, 224, 224), 2)


def _of_file(*path: str) -> tuple[nn.Module, Samples]:
    """Return a network of the examples or of the zoo, with its trained weights if it has any."""
    spec = load_model(_ROOT.joinpath(*path))
    return spec.module, [sample for sample, _ in zip(spec.calibration, range(_CALIBRATION), strict=False)]


def _digits() -> tuple[nn.Module, Samples]:
    return _of_file("python", "models", "digits", "model.py")


def _kws() -> tuple[nn.Module, Samples]:
    return _of_file("python", "models", "kws", "model.py")


def _conformer() -> tuple[nn.Module, Samples]:
    return _of_file("tests", "zoo", "models", "conformer.py")


U85_NETWORKS: dict[str, Callable[[], tuple[nn.Module, Samples]]] = {
    "catrelu": _catrelu,
    "digits": _digits,
    "kws": _kws,
    "mobilenet_v2": _mobilenet_v2,
    "vision_transformer": _vision_transformer,
    "conformer": _conformer,
}


@cache
def exported_for_u85(name: str) -> Exported:
    module, samples = U85_NETWORKS[name]()
    example: tuple[Any, ...] = samples[0]
    return export(module.eval(), example, NPU, samples)
