# SPDX-License-Identifier: Apache-2.0
"""Subtractions whose operands Vela swaps.

Upstream's rsub case showed that the operand's scale follows the order.
"""

from __future__ import annotations

import numpy as np
from exported import export

from pilotlight.npu import simulate


def test_constant_minus_tensor_of_another_scale_equals_the_tosa_reference() -> None:
    import torch

    class Reversed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.rsub(x, -1.1)

    model = export(Reversed(), (torch.rand(2, 2, 4, 4),), "ethos-u55-128")
    stored = np.random.default_rng(1).integers(-128, 128, (2, 2, 4, 4), np.int8)

    (output,) = simulate(model.pte, [stored]).outputs

    (golden,) = model.golden([stored])
    np.testing.assert_array_equal(output.reshape(golden.shape), golden)
