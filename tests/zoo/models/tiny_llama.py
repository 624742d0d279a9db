# SPDX-License-Identifier: Apache-2.0
"""A Llama decoder with two layers of width 64, from transformers: rotary, grouped queries."""

from __future__ import annotations

from _language import TOKENS, WORDS, NextToken, language_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_WIDTH = 64


def _make() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=TOKENS,
        initializer_range=0.2,
        use_cache=False,
    )
    return NextToken(LlamaForCausalLM(config))


def spec() -> ModelSpec:
    return language_spec("tiny_llama", _make)
