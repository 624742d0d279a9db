# SPDX-License-Identifier: Apache-2.0
"""Runs the step through given texts, and takes samples of what occurs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from positions import CONTEXT, HEAD_WIDTH, HEADS, LAYERS, SLOTS, masks, rotations
from torch import Tensor

Inputs = tuple[Tensor, ...]
Sample = tuple[Inputs, int]
# Inputs of `network.Step` -> its outputs.
StepFunction = Callable[..., Sequence[Tensor]]


def empty_caches() -> list[Tensor]:
    """Return keys and values of each layer before a text."""
    return [torch.zeros(1, HEADS, SLOTS, HEAD_WIDTH) for _ in range(2 * LAYERS)]


@torch.no_grad()
def steps(step: StepFunction, embedding: Tensor, tokens: Sequence[int]) -> Iterator[tuple[Inputs, Sequence[Tensor]]]:
    """Yield inputs and outputs of each step of a text, at most CONTEXT of them."""
    mask, cosine, sine = (torch.from_numpy(table) for table in (masks(), *rotations()))
    caches = empty_caches()
    for position, token in enumerate(tokens[:CONTEXT]):
        here = slice(position, position + 1)
        inputs = (embedding[token][None], mask[here], cosine[here], sine[here], *caches)
        outputs = step(*inputs)
        yield inputs, outputs
        caches = [cache.clone() for cache in caches]
        if position < SLOTS:
            for cache, row in zip(caches, outputs[1:], strict=True):
                cache[:, :, here] = row


def taken(step: StepFunction, embedding: Tensor, texts: Sequence[Sequence[int]], every: int) -> list[Sample]:
    """Return each `every`-th step of each text: its inputs, and the token that comes next.

    The texts begin at different steps, so that contexts of all lengths occur.
    """
    return [
        (inputs, tokens[position + 1])
        for number, tokens in enumerate(texts)
        for position, (inputs, _) in enumerate(steps(step, embedding, tokens[:-1]))
        if (position + number) % every == 0
    ]
