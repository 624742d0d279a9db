# SPDX-License-Identifier: Apache-2.0
"""Untrained convolutions (strided, dilated, grouped), both poolings, residual sums and a linear."""

import torch
from torch import nn

from pilotlight.model_spec import LabelledData, ModelSpec


class EveryLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.strided = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(16, 16, 3, padding=2, dilation=2)
        self.far_dilated = nn.Conv2d(16, 16, 3, padding=3, dilation=3)
        self.grouped = nn.Conv2d(16, 32, 3, padding=1, groups=4)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=2, dilation=2, groups=32)
        self.grouped_strided = nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=2)
        self.point = nn.Conv2d(32, 32, 1)
        self.head = nn.Linear(32, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.strided(image))
        x = x + torch.relu(self.dilated(x))
        x = x + self.far_dilated(x)
        x = nn.functional.max_pool2d(x, 2)
        x = torch.relu(self.grouped(x))
        x = x + self.depthwise(x)
        x = torch.relu(self.grouped_strided(x))
        x = nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
        x = x + self.point(x)
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.head(x.flatten(1))


def every_layer() -> ModelSpec:
    torch.manual_seed(1)
    images = torch.rand(12, 3, 32, 32)
    return ModelSpec(
        name="every_layer",
        module=EveryLayer().eval(),
        example_inputs=(images[:1],),
        calibration=[(image[None],) for image in images],
        data_set=LabelledData(inputs=images),
    )
