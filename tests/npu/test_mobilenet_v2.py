# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 1.0 at 224x224, the largest network of the goals. tests/bench measures its speed."""

from __future__ import annotations

import numpy as np
import pytest
from exported import Exported, export

from pilotlight.npu import Simulator

NPU = "ethos-u55-256"
SHAPE = (1, 3, 224, 224)


@pytest.fixture(scope="module")
def mobilenet() -> Exported:
    import torch
    from mobilenet_v2 import MobileNetV2

    module = MobileNetV2().eval()
    generator = torch.Generator().manual_seed(1)
    samples = [(torch.randn(SHAPE, generator=generator),) for _ in range(2)]
    return export(module, samples[0], NPU, samples)


def test_mobilenet_answers_what_the_reference_answers(mobilenet: Exported) -> None:
    simulator = Simulator(mobilenet.pte)
    for seed in range(2):
        inputs = [np.random.default_rng(seed).integers(-128, 128, SHAPE).astype(np.int8)]
        (output,) = simulator.run(inputs).outputs
        (golden,) = mobilenet.golden(inputs)
        np.testing.assert_array_equal(output, golden)
