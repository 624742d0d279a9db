# SPDX-License-Identifier: Apache-2.0
"""A delegate without constants."""

import torch

from pilotlight.model_spec import ModelSpec


class Add(torch.nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b


def spec() -> ModelSpec:
    generator = torch.Generator().manual_seed(0)
    pairs = [(torch.rand(1, 16, generator=generator), torch.rand(1, 16, generator=generator)) for _ in range(8)]
    return ModelSpec(name="no_constants", module=Add().eval(), example_inputs=pairs[0], calibration=pairs)
