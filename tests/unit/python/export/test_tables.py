# SPDX-License-Identifier: Apache-2.0
"""The program holds embedding tables as the integers that the NPU takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from placing import Place
from torch import nn

from pilotlight.export.attempts import Attempt
from pilotlight.export.golden.golden import GoldenModel, quantised_values


class Tokens(nn.Module):
    """Two tables and their sum. The second table is read with another operator."""

    def __init__(self, *, on_cpu: bool) -> None:
        super().__init__()
        self.tokens, self.kinds = nn.Embedding(64, 16), nn.Parameter(torch.randn(4, 16))
        self.on_cpu = on_cpu

    def forward(self, ids: torch.Tensor) -> Any:
        x = self.tokens(ids)
        y = torch.relu(x + torch.index_select(self.kinds, 0, ids.reshape(-1) % 4))
        return (y, torch.sort(x)[0]) if self.on_cpu else y


def tables(attempt: Attempt) -> dict[str, str]:
    """Return the dtype of the table that each operator on the CPU reads."""
    nodes = attempt.lowered.program.graph.nodes
    picking = [node for node in nodes if any(name in str(node.target) for name in ("embedding", "index_select"))]
    return {str(node.target).split(".")[1].rstrip("'>"): str(node.args[0].meta["val"].dtype) for node in picking}


def held_bytes(attempt: Attempt) -> int:
    """Return the size of the constants that the program uses. No others are written."""
    program = attempt.lowered.program
    given = set(program.graph_signature.user_inputs)
    held = (node for node in program.graph.nodes if node.op == "placeholder" and node.name not in given and node.users)
    return sum(node.meta["val"].nbytes for node in held)


def test_tables_are_integers_and_the_answers_those_of_quantised_pytorch(place_rewritten: Place) -> None:
    ids = torch.arange(6)[None]
    module = Tokens(on_cpu=False)
    attempt, _ = place_rewritten(module, ids)
    assert set(tables(attempt).values()) == {"torch.int8"} and len(tables(attempt)) == 2
    assert held_bytes(attempt) == (64 + 4) * 16
    boundary = attempt.lowered.boundary
    (golden,) = GoldenModel(attempt.lowered, sequence=False)((ids,))
    (quantised,) = quantised_values([attempt.quantised.module(ids)], boundary.output_quantisation)
    assert int((golden.int() - quantised.int()).abs().max()) <= 1
    assert golden.unique().numel() > 5


class Positions(nn.Module):
    """Token and position embeddings, as in transformers. The positions are constants."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(64, 16), nn.Embedding(8, 16)
        self.norm, self.layer = nn.LayerNorm(16), nn.Linear(16, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids).to(torch.float32) + self.positions(torch.arange(6)[None])
        return torch.relu(self.layer(self.norm(x)))


def test_the_npu_computes_all_behind_the_embedding(place_rewritten: Place) -> None:
    attempt, _ = place_rewritten(Positions(), torch.arange(6)[None])
    on_cpu = [operator for operator in attempt.lowered.operators if operator.delegate is None]
    assert {operator.module for operator in on_cpu} == {"tokens"}
    assert len(attempt.lowered.delegates) == 1
    assert set(tables(attempt).values()) == {"torch.int8"}


class Rotary(nn.Module):
    """As in Llama, sines of positions are between the embedding and its user.

    They are folded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.layer = nn.Embedding(64, 16), nn.Linear(16, 8)
        self.register_buffer("frequencies", torch.linspace(0.1, 1, 8))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids)
        angles = torch.arange(6)[:, None].float() * self.frequencies.float()
        angles = torch.cat((angles, angles), dim=-1)
        return self.layer(x * angles.cos() + x * angles.sin())


def test_what_is_made_of_an_embedding_has_its_line_not_that_of_folded_operators(place_rewritten: Place) -> None:
    attempt, _ = place_rewritten(Rotary(), torch.arange(6)[None])
    on_cpu = [operator for operator in attempt.lowered.operators if operator.delegate is None]
    assert {(operator.module, operator.source) for operator in on_cpu} == {("tokens", "x = self.tokens(ids)")}


class Moved(nn.Module):
    """An operator that the NPU lacks moves the values that were read."""

    def __init__(self, move: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.table, self.move = nn.Parameter(torch.randn(64, 16)), move

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.move(torch.index_select(self.table, 0, ids.reshape(-1))))


@pytest.mark.parametrize("move", [lambda x: x.flip(1), lambda x: x.unfold(1, 4, 2)])
def test_values_may_be_moved_between_picking_and_quantising(
    move: Callable[[torch.Tensor], torch.Tensor], place_rewritten: Place
) -> None:
    attempt, _ = place_rewritten(Moved(move), torch.arange(6)[None])
    assert tables(attempt) == {"index_select": "torch.int8"}
    assert held_bytes(attempt) == 64 * 16


def test_a_table_that_the_cpu_computes_with_stays_in_float(place_rewritten: Place) -> None:
    attempt, _ = place_rewritten(Tokens(on_cpu=True), torch.arange(6)[None])
    assert sorted(tables(attempt).values()) == ["torch.float32", "torch.int8"]
