# SPDX-License-Identifier: Apache-2.0
"""What the language models have in common: token numbers go in, and their size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from _zoo import CALIBRATION, generator, import_torchvision, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

WORDS, TOKENS = 200, 16


class NextToken(nn.Module):
    """Gives the scores of the next token; the body is one of transformers' causal models."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.body(tokens).logits[:, -1]


def language_spec(name: str, make: Callable[[], nn.Module]) -> ModelSpec:
    """make: imports transformers, and makes the model."""
    import_torchvision()  # transformers looks at it
    numbers = range(CALIBRATION)
    samples = [(torch.randint(0, WORDS, (1, TOKENS), generator=generator(n)),) for n in numbers]
    return zoo_spec(name, make, samples)
