# SPDX-License-Identifier: Apache-2.0
"""Rewritten operators run on the NPU, in one delegate."""

from __future__ import annotations

import pytest
import torch
from placing import Place
from torch import nn


def norm(layer: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    nn.init.uniform_(layer.running_mean, -1, 1)
    nn.init.uniform_(layer.running_var, 0.2, 2)
    return layer


class Causal(nn.Module):
    """A mask that the model creates."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(x, x + 1, x, is_causal=True)


MODULES = {
    "one-dimensional pools": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.AvgPool1d(2), nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(1)),
        (1, 2, 34),
    ),
    "adaptive maxima": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveMaxPool2d(1)), (1, 2, 10, 10)),
    "norms before convolutions": (
        lambda: nn.Sequential(
            norm(nn.BatchNorm2d(3)), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), norm(nn.BatchNorm2d(4))
        ),
        (1, 3, 8, 8),
    ),
    "norms of rows": (
        lambda: nn.Sequential(nn.Linear(8, 6), norm(nn.BatchNorm1d(6)), nn.ReLU(), norm(nn.BatchNorm1d(6))),
        (1, 8),
    ),
    "bilinear interpolation": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.ReLU(),
            nn.Upsample((9, 15), mode="bilinear"),
        ),
        (1, 3, 8, 8),
    ),
    "interpolation of a row and threefold repetition": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 4, 3), nn.Upsample(scale_factor=2, mode="linear"), nn.Upsample(scale_factor=3)
        ),
        (1, 3, 8),
    ),
    "norms of sequences": (lambda: nn.Sequential(norm(nn.BatchNorm1d(3)), nn.Conv1d(3, 4, 3)), (1, 3, 12)),
}


@pytest.mark.parametrize("name", MODULES)
def test_it_is_one_delegate(place_rewritten: Place, name: str) -> None:
    make, shape = MODULES[name]
    module, x = make(), torch.randn(shape)
    attempt, attempts = place_rewritten(module, x)
    assert attempts.kept == {}
    assert [operator.name for operator in attempt.lowered.on_cpu] == []
    assert len(attempt.lowered.delegates) == 1
    expected = module(x).detach()
    assert torch.allclose(attempt.quantised.module(x), expected, atol=0.05 * float(expected.abs().max()))


def test_a_linear_after_a_sum_and_its_relu_is_on_the_npu(place_rewritten: Place) -> None:
    """Vela fuses sum and ReLU into one operator.

    Vela does so although the linear layer views its input between them.
    """

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x) + x))

    attempt, attempts = place_rewritten(Residual(), torch.randn(1, 6, 16))
    assert attempts.kept == {}
    assert [operator.name for operator in attempt.lowered.on_cpu] == []


def test_a_mask_that_is_made_of_constants_is_a_constant_of_the_delegate(place_rewritten: Place) -> None:
    """In a separate delegate, no command would write the mask, because it is a constant."""
    attempt, attempts = place_rewritten(Causal(), torch.randn(1, 2, 5, 4))
    assert attempts.kept == {}
    assert [operator.name for operator in attempt.lowered.on_cpu] == []
    assert len(attempt.lowered.delegates) == 1


class Interactions(nn.Module):
    """Products of features with each other. Only the products above the diagonal are used."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.head = nn.Linear(rows * (rows - 1) // 2, 3)
        pairs = torch.triu_indices(rows, rows, offset=1)
        self.register_buffer("pairs", pairs[0] * rows + pairs[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((x @ x.transpose(1, 2)).flatten(1)[:, self.pairs])


def test_a_pick_by_fixed_indices_is_on_the_npu(place_rewritten: Place) -> None:
    attempt, attempts = place_rewritten(Interactions(4).eval(), torch.randn(1, 4, 8))
    assert attempts.kept == {}
    assert [operator.name for operator in attempt.lowered.on_cpu] == []


def test_a_pick_in_too_many_pieces_alone_stays_on_the_cpu(place_rewritten: Place) -> None:
    attempt, _ = place_rewritten(Interactions(36).eval(), torch.randn(1, 36, 8))
    names = {operator.name for operator in attempt.lowered.on_cpu}
    assert {name for name in names if "quantize" not in name} == {"aten.index.Tensor"}
    assert len(attempt.lowered.delegates) == 2
