# SPDX-License-Identifier: Apache-2.0
"""BERT with two layers of width 128, from transformers. The input is token numbers."""

from __future__ import annotations

import torch
from _language import TOKENS, WORDS, language_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_WIDTH = 128


class Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        config = BertConfig(
            vocab_size=WORDS,
            hidden_size=_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=4 * _WIDTH,
            max_position_embeddings=TOKENS,
            initializer_range=0.2,
        )
        self.body = BertModel(config)
        self.head = nn.Linear(_WIDTH, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(tokens).pooler_output)


def spec() -> ModelSpec:
    return language_spec("tiny_bert", Bert)
