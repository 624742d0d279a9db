# SPDX-License-Identifier: Apache-2.0
"""Everything that depends only on constants is computed at export, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.quantising.quantise import capture
from pilotlight.model_spec import ModelSpec


class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(10, 6)
        self.scales = nn.Parameter(torch.randn(2, 6))
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = self.scales.unbind(0)
        y = x * first + self.positions(torch.arange(x.shape[0])) * second
        self.steps.add_(1)
        return y + self.steps * 2, torch.zeros(300, 300) + x.sum()


def folded(module: nn.Module, x: torch.Tensor) -> Any:
    graph = capture(ModelSpec("m", module.eval(), (x,), [(x,)])).graph
    fold_constants(graph)
    return graph


def test_constants_are_folded_and_state_and_large_results_of_nothing_are_not() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 6)
    module = Positions()
    graph = folded(copy.deepcopy(module), x)
    targets = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert not any(name in target for target in targets for name in ("embedding", "arange", "unbind", "getitem"))
    assert sum("zeros" in target for target in targets) == 1
    assert sum("mul" in target for target in targets) == 2
    for _ in range(2):
        for got, expected in zip(graph(x), module(x), strict=True):
            assert torch.equal(got, expected)


def test_chance_is_not_folded() -> None:
    class Chance(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.rand(4)

    graph = folded(Chance(), torch.zeros(4))
    assert not torch.equal(graph(torch.zeros(4)), graph(torch.zeros(4)))
