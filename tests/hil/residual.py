# SPDX-License-Identifier: Apache-2.0
"""A model of strided, dilated and grouped convolutions.

The model also has both kinds of pooling, residual sums and a linear head.
"""

import torch

from pilotlight.model_spec import LabelledData, ModelSpec


class Residual(torch.nn.Module):
    def __init__(self, channels, **options):
        super().__init__()
        self.convolution = torch.nn.Conv2d(channels, channels, 3, **options)

    def forward(self, x):
        return torch.relu(x + self.convolution(x))


def spec() -> ModelSpec:
    torch.manual_seed(7)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        Residual(16, padding=2, dilation=2),
        torch.nn.MaxPool2d(2),
        Residual(16, padding=1, groups=4),
        torch.nn.Conv2d(16, 24, 3, stride=2, padding=1, groups=2),
        torch.nn.ReLU(),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(24 * 2 * 2, 5),
    ).eval()
    samples = torch.randn(24, 3, 32, 32)
    return ModelSpec(
        name="residual",
        module=module,
        example_inputs=(samples[:1],),
        calibration=[(sample[None],) for sample in samples[:8]],
        data_set=LabelledData(inputs=samples[8:].numpy()),
    )
