# SPDX-License-Identifier: Apache-2.0
"""Exactly those values that upstream computes in another order are found."""

from __future__ import annotations

import pytest
import torch
from placing import Place
from torch import nn


class Unfolded(nn.Module):
    """As in MobileViT, patches become rows before the inner operator, and rows become a picture
    after it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(64, 2, 8, 2).transpose(1, 2).reshape(1, 8, 64, 4).transpose(1, 3).reshape(4, 64, 8)
        y = self.inner(rows).view(1, 4, 64, 8).transpose(1, 3).reshape(64, 8, 2, 2)
        return y.transpose(1, 2).reshape(1, 8, 16, 16)


@pytest.mark.parametrize("inner", [nn.ReLU(), nn.Tanh(), nn.Linear(8, 8)], ids=str)
def test_an_operator_between_moves_is_on_the_npu(place_rewritten: Place, inner: nn.Module) -> None:
    attempt, attempts = place_rewritten(Unfolded(inner), torch.randn(1, 8, 16, 16))
    assert attempts.kept == {}
    assert attempt.comparison.agreement().furthest <= 1


class Enlarged(nn.Module):
    """PyTorch cannot interpolate integers, so positions cannot be followed through this model."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = nn.functional.silu(self.fine(x))
        coarse = nn.functional.silu(self.coarse(fine))
        enlarged = nn.functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return torch.cat([enlarged, fine], 1), coarse.flatten(2).transpose(1, 2)


def test_an_enlargement_behind_a_value_does_not_end_its_comparison(place_rewritten: Place) -> None:
    attempt, attempts = place_rewritten(Enlarged(), torch.randn(1, 3, 16, 16))
    assert attempts.kept == {}
    assert len(attempt.lowered.delegates) == 1


class Heads(nn.Module):
    """Transposed heads of several samples. Upstream moves the views of both operands."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = (x[..., at : at + 8].reshape(4, 16, 2, 4).transpose(1, 2) for at in (0, 16))
        return a.sigmoid() @ b.transpose(-2, -1)


def test_a_product_of_heads_of_several_samples_is_on_the_npu(place_rewritten: Place) -> None:
    _, attempts = place_rewritten(Heads(), torch.randn(4, 16, 24))
    assert attempts.kept == {}


class Picked(nn.Module):
    """Vela crashes if the permutation of five dimensions comes before the pick."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = x.reshape(4, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return query.tanh() + key + value


def test_a_pick_comes_before_the_permutation(place_rewritten: Place) -> None:
    attempt, attempts = place_rewritten(Picked(), torch.randn(4, 16, 24))
    assert attempts.kept == {}
    assert len(attempt.lowered.delegates) == 1
