# SPDX-License-Identifier: Apache-2.0
"""A decoder-only transformer: the whole text at once for training, one token a step for the device.

Both forms use the same parameters and compute the same logits.
"""

from __future__ import annotations

import torch
from positions import HEAD_WIDTH, HEADS, HIDDEN, LAYERS, VOCABULARY, WIDTH, rotations
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-5


def normalised(x: Tensor) -> Tensor:
    """Return x divided by its root mean square. A gain would be part of the linear layer behind."""
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + _EPSILON)


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn channel i together with channel i + HEAD_WIDTH / 2."""
    first, second = x[..., : HEAD_WIDTH // 2], x[..., HEAD_WIDTH // 2 :]
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)


class Layer(nn.Module):
    """Attention, then a gated feed-forward network (SwiGLU)."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH, bias=False)
        self.key = nn.Linear(WIDTH, WIDTH, bias=False)
        self.value = nn.Linear(WIDTH, WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.gate = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.up = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down = nn.Linear(HIDDEN, WIDTH, bias=False)

    def projections(self, x: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries, rotated keys and values, [batch, HEADS, tokens, HEAD_WIDTH]."""
        x = normalised(x)
        query, key, value = (
            layer(x).view(x.shape[0], x.shape[1], HEADS, HEAD_WIDTH).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        return rotated(query, cosine, sine), rotated(key, cosine, sine), value

    def joined(self, x: Tensor, heads: Tensor) -> Tensor:
        """Add what the heads found, and the feed-forward network, to x."""
        x = x + self.out(heads.transpose(1, 2).reshape(x.shape))
        y = normalised(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    """The whole text at once: tokens [batch, length] -> logits [batch, length, VOCABULARY].

    length is at most CONTEXT.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        cosine, sine = (torch.from_numpy(table[: tokens.shape[1]]) for table in rotations())
        x = self.embedding(tokens)
        for layer in self.layers:
            query, key, value = layer.projections(x, cosine, sine)
            x = layer.joined(x, functional.scaled_dot_product_attention(query, key, value, is_causal=True))
        return self.head(normalised(x))


class Step(nn.Module):
    """One token, as the device computes it.

    Inputs: row [1, WIDTH] of the embedding, mask [1, CONTEXT], cosine and sine [1, HEAD_WIDTH / 2],
    then keys and values of each layer, [1, HEADS, SLOTS, HEAD_WIDTH].

    Outputs: logits [1, VOCABULARY], then the new key and value of each layer,
    [1, HEADS, 1, HEAD_WIDTH].

    The mask is the second operand of a minimum and not of a sum: whatever an empty slot holds, its
    score is FLOOR. And the range of the scores stays small, which int8 needs.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.layers = decoder.layers
        self.head = decoder.head

    def forward(self, row: Tensor, mask: Tensor, cosine: Tensor, sine: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        x = row.unsqueeze(1)
        new = []
        for index, layer in enumerate(self.layers):
            query, key, value = layer.projections(x, cosine, sine)
            keys = torch.cat((caches[2 * index], key), 2)
            values = torch.cat((caches[2 * index + 1], value), 2)
            scores = torch.minimum(query @ keys.transpose(2, 3) * HEAD_WIDTH**-0.5, mask)
            x = layer.joined(x, scores.softmax(-1) @ values)
            new += [key, value]
        return self.head(normalised(x)).squeeze(1), *new
