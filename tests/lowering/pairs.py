# SPDX-License-Identifier: Apache-2.0
"""Small graphs from pairs of operators, with shared quantisers and unusual zero points.

The operators are those that upstream fuses or decomposes. A graph is `second(first(x))` in a
surrounding that decides which values share a quantiser. The weights and samples of a graph follow
from its number, so each graph can be made again separately.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

_CHANNELS, _SIZE, _SAMPLES = 4, 8, 8

Operator = Callable[[], nn.Module]


class _Call(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._function(x)


class _Rows(nn.Module):
    """A linear layer over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(_SIZE, _SIZE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def _call(function: Callable[[torch.Tensor], torch.Tensor]) -> Operator:
    return lambda: _Call(function)


def _rows_picked(x: torch.Tensor) -> torch.Tensor:
    """Take the second halves of all channels, then the first; a view joins halves to channels."""
    halves = x.reshape(_CHANNELS, 2, _SIZE // 2, _SIZE)
    return torch.cat([halves[:, number].reshape(1, 2, _SIZE, _SIZE) for number in (1, 0)], 1)


# Each operator keeps the shape: 4 channels of 8 x 8.
OPERATORS: dict[str, Operator] = {
    "conv2d": lambda: nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1),
    "depthwise": lambda: nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, groups=_CHANNELS),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(_CHANNELS, _CHANNELS, 3, padding=1),
    "linear": _Rows,
    "batch_norm": lambda: nn.BatchNorm2d(_CHANNELS),
    "layer_norm": lambda: nn.LayerNorm(_SIZE),
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardtanh": lambda: nn.Hardtanh(-0.5, 0.75),
    "hardtanh from 0": lambda: nn.Hardtanh(0.0, 0.75),
    "clamp": _call(lambda x: x.clamp(min=0.1)),
    "clamp above": _call(lambda x: x.clamp(max=0.2)),
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "exp": _call(torch.exp),
    "abs": _call(torch.abs),
    "neg": _call(torch.neg),
    "add": _call(lambda x: x + 0.5),
    "sub": _call(lambda x: 0.25 - x),
    "mul": _call(lambda x: x * -1.5),
    "square": _call(lambda x: x * x),
    "max_pool2d": lambda: nn.MaxPool2d(3, 1, 1),
    "avg_pool2d": lambda: nn.AvgPool2d(3, 1, 1),
    "softmax": lambda: nn.Softmax(-1),
    "mean": _call(lambda x: x - x.mean((2, 3), keepdim=True)),
    "permute": _call(lambda x: x.transpose(2, 3)),
    "flip": _call(lambda x: torch.cat([x[:, 2:], x[:, :2]], 1)),
    "rows picked": _call(_rows_picked),
    "heads": _call(lambda x: x.reshape(4, 8, 2, 4).transpose(1, 2).reshape(8, 8, 4).mT.reshape(1, 4, 8, 8)),
    "patches": _call(lambda x: x.reshape(16, 2, 4, 2).transpose(1, 2).reshape(1, 4, 16, 4).mT.reshape(1, 4, 8, 8)),
    "pad": _call(lambda x: functional.pad(x, (1, 0))[..., :-1]),
}


class _Plain(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class _BesideInput(_Plain):
    """The result shares its quantiser with the input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.inner(x), x], 1)


class _BesideLayer(_Plain):
    """The result shares its quantiser with the result of another convolution."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.other = nn.Conv2d(_CHANNELS, _CHANNELS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.other(x), self.inner(x)], 1)


class _Residual(_Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.inner(x) + x, x], 1)


class _UsedTwice(_Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        return y + functional.max_pool2d(y, 3, 1, 1)


SURROUNDINGS: dict[str, type[_Plain]] = {
    "plain": _Plain,
    "beside input": _BesideInput,
    "beside layer": _BesideLayer,
    "residual": _Residual,
    "used twice": _UsedTwice,
}
# Mean and spread of the samples. They move the zero points.
SAMPLES = {"around 0": (0.0, 1.0), "positive": (3.0, 1.0), "negative": (-2.0, 0.5), "far off": (20.0, 0.5)}


@dataclass(frozen=True)
class Graph:
    """One graph. `number` seeds its weights and samples."""

    number: int
    first: str
    second: str
    surrounding: str
    samples: str

    def __str__(self) -> str:
        return f"{self.first}, {self.second}, {self.surrounding}, {self.samples}"

    def module(self) -> nn.Module:
        torch.manual_seed(self.number)
        inner = nn.Sequential(OPERATORS[self.first](), OPERATORS[self.second]())
        module = SURROUNDINGS[self.surrounding](inner)
        module.train()
        with torch.no_grad():
            for (sample,) in self.calibration():
                module(sample)  # sets the statistics of batch norms
        return module.eval()

    def calibration(self) -> list[tuple[torch.Tensor]]:
        mean, spread = SAMPLES[self.samples]
        chance = torch.Generator().manual_seed(self.number)
        shape = (1, _CHANNELS, _SIZE, _SIZE)
        return [(torch.randn(shape, generator=chance) * spread + mean,) for _ in range(_SAMPLES)]


def graphs(count: int, seed: int) -> Iterator[Graph]:
    """Yield `count` different graphs, in an order that follows from the seed."""
    everything = list(itertools.product(OPERATORS, OPERATORS, SURROUNDINGS, SAMPLES))
    random.Random(seed).shuffle(everything)
    for number, (first, second, surrounding, samples) in enumerate(everything[:count]):
        yield Graph(seed * 100_000 + number, first, second, surrounding, samples)
