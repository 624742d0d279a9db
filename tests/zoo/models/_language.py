# SPDX-License-Identifier: Apache-2.0
"""What the language models share: their size, and token numbers as input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from _zoo import CALIBRATION, generator, import_torchvision, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

WORDS, TOKENS = 200, 16


class NextToken(nn.Module):
    """Returns the scores of the next token. `body` is a causal model of transformers."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.body(tokens).logits[:, -1]


def language_spec(name: str, make: Callable[[], nn.Module]) -> ModelSpec:
    """Describe the model that `make` returns. `make` may import transformers."""
    import_torchvision()  # transformers imports it
    numbers = range(CALIBRATION)
    samples = [(torch.randint(0, WORDS, (1, TOKENS), generator=generator(n)),) for n in numbers]
    return zoo_spec(name, make, samples)
