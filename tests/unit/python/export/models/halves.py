# SPDX-License-Identifier: Apache-2.0
"""A model that computes in half precision, which the firmware's quantise operator does not take."""

import torch


class Halves(torch.nn.Module):
    def forward(self, x):
        return 2 * x.to(torch.float16)


ModelUnderTest = Halves()
ModelInputs = (torch.ones(1, 1, 8, 8),)
