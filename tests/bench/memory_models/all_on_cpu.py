# SPDX-License-Identifier: Apache-2.0
"""A model without NPU operators: the largest and the smallest values."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from architecture import spec_of
from torch import nn

from pilotlight.model_spec import ModelSpec


class AllOnCpu(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return *torch.topk(x, 4), *torch.topk(x, 4, largest=False)


def spec() -> ModelSpec:
    return spec_of("all_on_cpu", AllOnCpu(), 32)
