# SPDX-License-Identifier: Apache-2.0
"""Shared by tests of the lowering: a module of one function, and the type of `place_rewritten`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from pilotlight.export.attempts import Attempt, Attempts

# The type of the fixture `place_rewritten` in conftest.py.
Place = Callable[[nn.Module, torch.Tensor], tuple[Attempt, Attempts]]


class Computes(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._function(x)
