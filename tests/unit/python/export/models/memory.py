# SPDX-License-Identifier: Apache-2.0
"""One step of attention over a cache of seven keys and values, which are tied inputs."""

import torch
from torch import nn

from pilotlight.model_spec import ModelSpec, Tied

SLOTS, HEADS, WIDTH = 7, 2, 8


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))
        self.head = nn.Linear(16, 12)

    def forward(self, row, mask, keys, values):
        q = self.query(row).reshape(1, 1, HEADS, WIDTH).transpose(1, 2)
        k = self.key(row).reshape(1, 1, HEADS, WIDTH).transpose(1, 2)
        v = self.value(row).reshape(1, 1, HEADS, WIDTH).transpose(1, 2)
        all_k = torch.cat((keys, k), 2)
        all_v = torch.cat((values, v), 2)
        scores = torch.matmul(q, all_k.transpose(2, 3)) * WIDTH**-0.5 + mask
        mixed = torch.matmul(torch.softmax(scores, -1), all_v)
        return self.head(mixed.transpose(1, 2).reshape(1, 1, 16)), k, v


def sequence(module):
    """Return the inputs of seven steps."""
    samples = []
    keys = values = torch.zeros(1, HEADS, SLOTS, WIDTH)
    for step in range(SLOTS):
        row = torch.rand(1, 1, 16) * 2 - 1
        mask = torch.full((1, 1, 1, SLOTS + 1), -8.0)
        mask[..., :step] = mask[..., SLOTS] = 0
        samples.append((row, mask, keys, values))
        with torch.no_grad():
            _, k, v = module(*samples[-1])
        keys, values = keys.clone(), values.clone()
        keys[:, :, step : step + 1], values[:, :, step : step + 1] = k, v
    return samples


def spec() -> ModelSpec:
    torch.manual_seed(1)
    module = Step().eval()
    samples = []
    for _ in range(8):
        samples += sequence(module)
    return ModelSpec(
        name="memory",
        module=module,
        example_inputs=samples[4],
        calibration=samples,
        tied=(Tied("output_1", "keys", 2), Tied(2, 3, -2)),
    )
