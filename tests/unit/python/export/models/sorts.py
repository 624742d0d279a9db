# SPDX-License-Identifier: Apache-2.0
"""A model with one operator in the middle that neither the NPU nor our kernels have."""

import torch


class Sorts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.before = torch.nn.Conv2d(1, 4, 3)

    def forward(self, x):
        x = torch.relu(self.before(x))
        x = torch.sort(x)[0]
        return x + 1


ModelUnderTest = Sorts()
ModelInputs = (torch.randn(1, 1, 8, 8),)
