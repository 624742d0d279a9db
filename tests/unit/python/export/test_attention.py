# SPDX-License-Identifier: Apache-2.0
"""Attention in the forms of timm and Hugging Face becomes one delegate.

The simulator confirms it.
"""

from __future__ import annotations

import contextlib

import pytest
import torch
from placing import Place
from torch import nn

from pilotlight.export.upstream import vela

TOKENS, WIDTH, HEADS = 5, 16, 4
HEAD = WIDTH // HEADS


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return ((q * HEAD**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v


class Fused(nn.Module):
    """As in timm, one linear layer makes query, key and value, and unbind separates them."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).reshape(1, TOKENS, 3, HEADS, HEAD).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(attend(q, k, v).transpose(1, 2).reshape(1, TOKENS, WIDTH))


class Gpt(nn.Module):
    """As in Hugging Face's GPT-2, with addmm with parameters, split, and a causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(WIDTH, 3 * WIDTH) * 0.3), nn.Parameter(torch.zeros(3 * WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fused = torch.addmm(self.bias, x.view(-1, WIDTH), self.weight).view(1, TOKENS, 3 * WIDTH)
        q, k, v = (part.view(1, TOKENS, HEADS, HEAD).transpose(1, 2) for part in fused.split(WIDTH, dim=2))
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape)


class OneHead(nn.Module):
    """A slice that is an operand of the product without any change."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return (q @ k.transpose(-2, -1)).softmax(-1) @ v


@pytest.mark.parametrize("form", [Fused, Gpt, OneHead])
def test_attention_is_on_the_npu_and_right(place_rewritten: Place, form: type[nn.Module]) -> None:
    module, x = form(), torch.randn(1, TOKENS, WIDTH)
    attempt, attempts = place_rewritten(module, x)
    assert attempts.kept == {}
    assert len(attempt.lowered.delegates) == 1
    assert [operator.name for operator in attempt.lowered.on_cpu] == []
    assert attempt.unconfirmed == ""
    # In Gpt, upstream's mask of -256 is one of the sum's values, so the scores lose precision.
    if form is not Gpt:
        expected = module(x).detach()
        assert torch.allclose(attempt.quantised.module(x), expected, atol=0.1 * float(expected.abs().max()))


@pytest.mark.campaign  # Vela's version is pinned.
def test_vela_still_gets_a_product_of_a_slice_wrong(place_rewritten: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this test fails, the copy is no longer needed."""
    monkeypatch.setattr(vela, "copied_operands", contextlib.nullcontext)
    _, attempts = place_rewritten(OneHead(), torch.randn(1, TOKENS, WIDTH))
    assert any(why.startswith("Vela") for why in attempts.kept.values())
