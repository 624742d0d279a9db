# SPDX-License-Identifier: Apache-2.0
"""GPT-2 with two layers of width 64, from transformers: maps token numbers to the scores of the
next token."""

from __future__ import annotations

from _language import TOKENS, WORDS, NextToken, language_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_WIDTH = 64


def _make() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=WORDS,
        n_positions=TOKENS,
        n_embd=_WIDTH,
        n_layer=2,
        n_head=4,
        initializer_range=0.2,
        use_cache=False,
    )
    return NextToken(GPT2LMHeadModel(config))


def spec() -> ModelSpec:
    return language_spec("tiny_gpt2", _make)
