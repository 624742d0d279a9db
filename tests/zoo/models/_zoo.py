# SPDX-License-Identifier: Apache-2.0
"""What the models of the zoo share: random weights and small data.

Weights are random, because no package ships trained ones. Three things make such a network behave
like a trained one: batch norms have the statistics of the data, scales that start near zero are set
to 0.5, and the data is smooth, so that neighbouring values are similar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from pilotlight.model_spec import LabelledData, ModelSpec

CALIBRATION, HELD_OUT = 8, 4
_SMALLEST_SCALE = 1e-3


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(size: int, channels: int = 3, count: int = CALIBRATION + HELD_OUT) -> torch.Tensor:
    """Return smooth random pictures [count, channels, size, size] of about unit variance."""
    chance = generator()
    coarse = torch.randn(count, channels, max(size // 8, 2), max(size // 8, 2), generator=chance)
    smooth = functional.interpolate(coarse, size=(size, size), mode="bilinear")
    noise = torch.randn(count, channels, size, size, generator=chance)
    return smooth + 0.3 * noise


def signals(channels: int, length: int, count: int = CALIBRATION + HELD_OUT) -> torch.Tensor:
    """Return smooth random signals [count, channels, length]."""
    chance = generator()
    coarse = torch.randn(count, channels, max(length // 8, 2), generator=chance)
    smooth = functional.interpolate(coarse, size=length, mode="linear")
    return smooth + 0.3 * torch.randn(count, channels, length, generator=chance)


def settled(module: nn.Module, samples: torch.Tensor) -> nn.Module:
    """Give batch norms the statistics of `samples`, and set scales near zero to 0.5."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average over all samples
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1 and 0 < parameter.abs().max() < _SMALLEST_SCALE:
                parameter.fill_(0.5)
        module.eval()
        for _ in range(2):  # In the second pass, later norms see the output of settled norms.
            for norm in norms:
                norm.reset_running_stats()
                norm.train()
            module(samples)
            module.eval()
    return module


def zoo_spec(
    name: str,
    make: Callable[[], nn.Module],
    samples: torch.Tensor | Sequence[tuple[torch.Tensor, ...]],
    *,
    sequence: bool = False,
) -> ModelSpec:
    """Make the model with fixed random weights, settle its norms, and describe it.

    samples: for a model with one input, one tensor [CALIBRATION + HELD_OUT, ...]; its last
        HELD_OUT items are the data set. For other models, tuples of inputs, without a data set.
    """
    torch.manual_seed(1)
    module = make().eval()
    if isinstance(samples, torch.Tensor):
        module = settled(module, samples)
        calibration = [(sample[None],) for sample in samples[:CALIBRATION]]
        data = LabelledData(samples[CALIBRATION:].numpy())
        return ModelSpec(name, module, calibration[0], calibration, data_set=data, sequence=sequence)
    return ModelSpec(name, module, samples[0], list(samples), sequence=sequence)


def import_torchvision() -> None:
    """Import torchvision, even if the installed PyTorch does not fit its compiled part.

    The package on PyPI is compiled for CUDA. Beside a CPU build of PyTorch, the operators of
    torchvision are unknown, and the import fails at the first of them. The networks of torchvision
    do not need these operators, so this function declares them and imports the package again.
    """
    try:
        import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
        import_module("torchvision")
