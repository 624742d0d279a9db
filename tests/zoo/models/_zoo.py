# SPDX-License-Identifier: Apache-2.0
"""What the models of the zoo share: random weights that behave, and small data.

Weights are random, since no package ships trained ones. Three things make such a network behave like
a trained one. Batch norms have statistics of the data. Per-layer scales that start near zero are set
to a size that matters. The data is smooth, so that neighbours resemble each other.
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
    """Smooth random pictures [count, channels, size, size] of about unit variance."""
    chance = generator()
    coarse = torch.randn(count, channels, max(size // 8, 2), max(size // 8, 2), generator=chance)
    smooth = functional.interpolate(coarse, size=(size, size), mode="bilinear")
    noise = torch.randn(count, channels, size, size, generator=chance)
    return smooth + 0.3 * noise


def signals(channels: int, length: int, count: int = CALIBRATION + HELD_OUT) -> torch.Tensor:
    """Smooth random signals [count, channels, length]."""
    chance = generator()
    coarse = torch.randn(count, channels, max(length // 8, 2), generator=chance)
    smooth = functional.interpolate(coarse, size=length, mode="linear")
    return smooth + 0.3 * torch.randn(count, channels, length, generator=chance)


def settled(module: nn.Module, samples: torch.Tensor) -> nn.Module:
    """Give batch norms the statistics of `samples`, and layer scales a size that matters."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # an average over all that is seen
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1 and 0 < parameter.abs().max() < _SMALLEST_SCALE:
                parameter.fill_(0.5)
        module.eval()
        for _ in range(2):  # The second time, later norms see what settled norms hand on.
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
    """Make the model with fixed random weights, settle it, and describe it.

    samples: one tensor [CALIBRATION + HELD_OUT, ...] for a model with one input, of which the last
        are the data set. Tuples of inputs for other models: they have no data set.
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
    """Import torchvision, also beside a PyTorch for which its compiled part was not made.

    The package on PyPI is compiled for CUDA. Beside a CPU build of PyTorch its operators are
    unknown, and the import ends at the first of them. Its networks need none of them, so they are
    declared, and the import is tried again.
    """
    try:
        import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
        import_module("torchvision")
