# SPDX-License-Identifier: Apache-2.0
"""A Llama decoder with two layers of 64, from transformers: rotary positions, grouped queries."""

from __future__ import annotations

import torch
from _zoo import CALIBRATION, generator, import_torchvision, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_WORDS, _TOKENS, _WIDTH = 200, 16, 64


class Llama(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            vocab_size=_WORDS,
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=_TOKENS,
            initializer_range=0.2,
            use_cache=False,
        )
        self.body = LlamaForCausalLM(config)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.body(tokens).logits[:, -1]


def spec() -> ModelSpec:
    import_torchvision()  # transformers looks at it
    samples = [(torch.randint(0, _WORDS, (1, _TOKENS), generator=generator(number)),) for number in range(CALIBRATION)]
    return zoo_spec("tiny_llama", Llama, samples)
