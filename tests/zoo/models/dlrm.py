# SPDX-License-Identifier: Apache-2.0
"""A recommender in the manner of DLRM (Naumov et al., 2019): embeddings and pairwise products."""

from __future__ import annotations

import torch
from _zoo import CALIBRATION, generator, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_TABLES, _ROWS, _WIDTH, _DENSE = 4, 100, 16, 13


class Recommender(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(_ROWS, _WIDTH) for _ in range(_TABLES)])
        self.bottom = nn.Sequential(nn.Linear(_DENSE, 32), nn.ReLU(), nn.Linear(32, _WIDTH), nn.ReLU())
        pairs = torch.triu_indices(_TABLES + 1, _TABLES + 1, offset=1)
        self.register_buffer("pairs", pairs[0] * (_TABLES + 1) + pairs[1])
        self.top = nn.Sequential(nn.Linear(_WIDTH + pairs.shape[1], 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())

    def forward(self, dense: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        x = self.bottom(dense)
        rows = [table(categories[:, index]) for index, table in enumerate(self.tables)]
        features = torch.stack([x, *rows], 1)
        products = (features @ features.transpose(1, 2)).flatten(1)
        return self.top(torch.cat([x, products[:, self.pairs]], 1))


def spec() -> ModelSpec:
    samples = []
    for number in range(CALIBRATION):
        chance = generator(number)
        dense = torch.randn(1, _DENSE, generator=chance)
        samples.append((dense, torch.randint(0, _ROWS, (1, _TABLES), generator=chance)))
    return zoo_spec("dlrm", Recommender, samples)
