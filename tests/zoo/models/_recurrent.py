# SPDX-License-Identifier: Apache-2.0
"""A recurrent layer over a sequence, and a linear layer on its last step."""

from __future__ import annotations

import torch
from _zoo import signals, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_FEATURES, _HIDDEN, _STEPS = 12, 24, 16


class Recurrent(nn.Module):
    def __init__(self, layer: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.layer = layer(_FEATURES, _HIDDEN, batch_first=True)
        self.head = nn.Linear(_HIDDEN, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, _ = self.layer(x)
        return self.head(steps[:, -1])


def recurrent_spec(name: str, layer: type[nn.LSTM] | type[nn.GRU]) -> ModelSpec:
    sequences = signals(_FEATURES, _STEPS).transpose(1, 2).contiguous()
    return zoo_spec(name, lambda: Recurrent(layer), sequences)
