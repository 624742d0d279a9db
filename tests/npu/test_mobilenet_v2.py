# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 1.0 at 224x224: the largest network we promise, and the one whose speed we measure."""

from __future__ import annotations

import time

import numpy as np
import pytest
from exported import Exported, export

from pilotlight.npu import Simulator

TARGET = "ethos-u55-256"
SHAPE = (1, 3, 224, 224)


@pytest.fixture(scope="module")
def mobilenet() -> Exported:
    import torch
    from mobilenet_v2 import MobileNetV2

    module = MobileNetV2().eval()
    generator = torch.Generator().manual_seed(1)
    samples = [(torch.randn(SHAPE, generator=generator),) for _ in range(2)]
    return export(module, samples[0], TARGET, samples)


def test_mobilenet_answers_what_the_reference_answers_in_less_than_half_the_time(mobilenet: Exported) -> None:
    simulator = Simulator(mobilenet.pte)
    simulated_s: list[float] = []
    reference_s: list[float] = []
    for seed in range(4):
        inputs = [np.random.default_rng(seed).integers(-128, 128, SHAPE).astype(np.int8)]
        start = time.perf_counter()
        (output,) = simulator.run(inputs).outputs
        simulated_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        (golden,) = mobilenet.golden(inputs)
        reference_s.append(time.perf_counter() - start)
        np.testing.assert_array_equal(output, golden)
    # The first run decodes the weights. The fastest of several is what the machine can do when others use it too.
    assert 2 * min(simulated_s) < min(reference_s), (simulated_s, reference_s)
