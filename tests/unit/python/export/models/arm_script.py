# SPDX-License-Identifier: Apache-2.0
"""A model file for ExecuTorch's Arm compiler script. It does not know this project."""

import torch


class Mixer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(12, 20)
        self.second = torch.nn.Linear(20, 6)

    def forward(self, left, right):
        mixed = torch.relu(self.first(left) + self.first(right))
        return self.second(mixed), mixed


torch.manual_seed(3)
ModelUnderTest = Mixer()
ModelInputs = (torch.randn(1, 12), torch.randn(1, 12))
