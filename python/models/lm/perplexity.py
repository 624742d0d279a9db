# SPDX-License-Identifier: Apache-2.0
"""The measure of a language model: how many tokens it hesitates between, on average.

A paragraph is scored as the device would run it: a line break first, then its tokens and the line
break that ends it, until the context is full.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from network import Decoder
from positions import CONTEXT
from samples import StepFunction, steps
from tokens import Vocabulary
from torch import Tensor
from torch.nn import functional


def scored(text: str, vocabulary: Vocabulary) -> list[int]:
    """Return the tokens of a paragraph; the first is given, and the others are predicted."""
    return vocabulary.encode(f"\n{text}\n")[: CONTEXT + 1]


@torch.no_grad()
def perplexity(decoder: Decoder, texts: Iterable[str], vocabulary: Vocabulary) -> float:
    """Return exp of the mean loss over all predicted tokens."""
    losses: list[float] = []
    for text in texts:
        tokens = scored(text, vocabulary)
        losses += _losses(decoder(torch.tensor([tokens[:-1]]))[0], tokens[1:])
    return _exponential_mean(losses)


def stepwise_perplexity(step: StepFunction, embedding: Tensor, texts: Iterable[str], vocabulary: Vocabulary) -> float:
    """Return the same figure, computed step by step. The cache is carried as the device does it."""
    losses: list[float] = []
    for text in texts:
        tokens = scored(text, vocabulary)
        logits = [outputs[0] for _, outputs in steps(step, embedding, tokens[:-1])]
        losses += _losses(torch.cat(logits), tokens[1:])
    return _exponential_mean(losses)


def _losses(logits: Tensor, targets: Sequence[int]) -> list[float]:
    return functional.cross_entropy(logits.double(), torch.tensor(targets), reduction="none").tolist()


def _exponential_mean(losses: Sequence[float]) -> float:
    return math.exp(math.fsum(losses) / len(losses))
