# SPDX-License-Identifier: Apache-2.0
"""A network for text of 16 letters: two heads of attention over a cache of 15 slots.

Its weights are random. They are fixed by a seed, so the text that it writes is fixed too.
"""

import torch
from torch import nn

LETTERS = "abcdefghijklmno."
SLOTS, HEADS, WIDTH = 15, 2, 8
SIZE = HEADS * WIDTH
MASKED = -8.0


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.mix = (nn.Linear(SIZE, SIZE) for _ in range(4))
        self.widen, self.narrow = nn.Linear(SIZE, 2 * SIZE), nn.Linear(2 * SIZE, SIZE)
        self.head = nn.Linear(SIZE, len(LETTERS))

    def forward(self, letter, place, mask, keys, values):
        x = letter + place
        q, k, v = (layer(x).reshape(1, 1, HEADS, WIDTH).transpose(1, 2) for layer in (self.query, self.key, self.value))
        all_keys, all_values = torch.cat((keys, k), 2), torch.cat((values, v), 2)
        scores = torch.matmul(q, all_keys.transpose(2, 3)) * WIDTH**-0.5 + mask
        mixed = torch.matmul(torch.softmax(scores, -1), all_values)
        x = x + self.mix(mixed.transpose(1, 2).reshape(1, 1, SIZE))
        x = x + self.narrow(torch.relu(self.widen(x)))
        return self.head(x), k, v


def network():
    """Return the network, and the rows of its letters and places."""
    random = torch.Generator().manual_seed(7)
    module = Step().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.5)
    letters = torch.rand(len(LETTERS), 1, 1, SIZE, generator=random) * 2 - 1
    places = torch.rand(SLOTS + 1, 1, 1, SIZE, generator=random) * 2 - 1
    return module, letters, places


def masks():
    """Return the mask of each position: the slots before it, and itself."""
    rows = torch.full((SLOTS + 1, 1, 1, 1, SLOTS + 1), MASKED)
    for position in range(SLOTS + 1):
        rows[position, ..., :position] = 0
        rows[position, ..., SLOTS] = 0
    return rows
