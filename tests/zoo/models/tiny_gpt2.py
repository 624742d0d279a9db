# SPDX-License-Identifier: Apache-2.0
"""GPT-2 with two layers of 64, from transformers: token numbers in, the next token's scores out."""

from __future__ import annotations

import torch
from _zoo import CALIBRATION, generator, import_torchvision, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_WORDS, _TOKENS, _WIDTH = 200, 16, 64


class Gpt2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel

        config = GPT2Config(
            vocab_size=_WORDS,
            n_positions=_TOKENS,
            n_embd=_WIDTH,
            n_layer=2,
            n_head=4,
            initializer_range=0.2,
            use_cache=False,
        )
        self.body = GPT2LMHeadModel(config)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.body(tokens).logits[:, -1]


def spec() -> ModelSpec:
    import_torchvision()  # transformers looks at it
    samples = [(torch.randint(0, _WORDS, (1, _TOKENS), generator=generator(number)),) for number in range(CALIBRATION)]
    return zoo_spec("tiny_gpt2", Gpt2, samples)
