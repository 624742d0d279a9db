# SPDX-License-Identifier: Apache-2.0
"""Small models with which the default recipe is known to lose accuracy."""

from __future__ import annotations

import textwrap
from pathlib import Path

_HEAD = """
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec

torch.manual_seed(4)
"""

_TAIL = """

def spec() -> ModelSpec:
    data = torch.randn(40, *SHAPE, generator=torch.Generator().manual_seed(3))
    samples = [(x[None],) for x in data[:24]]
    return ModelSpec("{name}", Net().eval(), samples[0], samples, LabelledData(data[24:].numpy()))
"""

MODELS = {
    "attention_pooling": """
        SHAPE = (32, 8)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm, self.score, self.value = nn.LayerNorm(8), nn.Linear(8, 1), nn.Linear(8, 8)

            def forward(self, x):
                y = self.norm(x + 40)
                return ((self.score(y) * 6).softmax(1) * self.value(y)).sum(1)
        """,
    "tcn": """
        SHAPE = (4, 24)

        class Block(nn.Module):
            def __init__(self, dilation):
                super().__init__()
                self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
                self.conv, self.mix = nn.Conv1d(8, 8, 3, dilation=dilation), nn.Conv1d(8, 8, 1)

            def forward(self, x):
                return x + self.mix(torch.tanh(self.conv(self.pad(x))))

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.entry = nn.Conv1d(4, 8, 1)
                self.blocks = nn.Sequential(*(Block(2**i) for i in range(3)))
                self.exit = nn.Conv1d(8, 4, 1)
                with torch.no_grad():
                    self.entry.weight[0] *= 60
                    self.exit.weight[:, 0] *= 0.01

            def forward(self, x):
                return self.exit(self.blocks(self.entry(x)) / 8)[:, :, -1]
        """,
    "mask": """
        SHAPE = (12, 16)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))
                mask = torch.full((12, 12), float("-inf")).triu(1)
                self.register_buffer("mask", mask)

            def forward(self, x):
                scores = self.q(x) @ self.k(x).transpose(-2, -1) + self.mask
                return scores.softmax(-1) @ self.v(x)
        """,
    "log_softmax": """
        SHAPE = (24,)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden, self.out = nn.Linear(24, 32), nn.Linear(32, 10)
                with torch.no_grad():
                    self.out.weight *= 12

            def forward(self, x):
                return nn.functional.log_softmax(self.out(torch.relu(self.hidden(x))), -1)
        """,
    "large_mean": """
        SHAPE = (8, 16)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm, self.out = nn.LayerNorm(16), nn.Linear(16, 4)

            def forward(self, x):
                return self.out(self.norm(x * 0.5 + 30))
        """,
    "boxes_beside_scores": """
        SHAPE = (16,)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden, self.box, self.score = nn.Linear(16, 32), nn.Linear(32, 4), nn.Linear(32, 2)

            def forward(self, x):
                y = torch.relu(self.hidden(x))
                return torch.cat([self.box(y) * 300, torch.sigmoid(self.score(y))], -1)
        """,
    # What 16 bits cannot do either.
    "far_apart": """
        SHAPE = (16,)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden, self.box, self.score = nn.Linear(16, 32), nn.Linear(32, 4), nn.Linear(32, 2)

            def forward(self, x):
                y = torch.relu(self.hidden(x))
                return torch.cat([self.box(y) * 1e6, torch.sigmoid(self.score(y))], -1)
        """,
}


def write_model(name: str, folder: Path) -> Path:
    """Write the model file of a trap to a folder of its own below `folder`, and return its path."""
    file = folder / name / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_HEAD + textwrap.dedent(MODELS[name]) + _TAIL.replace("{name}", name), encoding="utf-8")
    return file
