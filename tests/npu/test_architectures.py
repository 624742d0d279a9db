# SPDX-License-Identifier: Apache-2.0
"""Whole architectures, on every NPU: equal to the TOSA reference model, and free of hazards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from architectures import ARCHITECTURES, MIS_COMPILED, TABLE_OUT_OF_BOUNDS
from exported import Exported, export

from pilotlight.errors import NpuFault
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.simulation import Simulator
from pilotlight.npu.stream.configurations import CONFIGURATIONS

SAMPLES = 4

RIGHT = [name for name in ARCHITECTURES if name not in MIS_COMPILED]
WRONG = [
    pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=reason)) for name, reason in MIS_COMPILED.items()
]


def exported(name: str) -> Exported:
    import torch

    module = ARCHITECTURES[name]().eval()
    generator = torch.Generator().manual_seed(5)
    samples = [tuple(torch.randn(tensor.shape, generator=generator) for tensor in module.example) for _ in range(3)]
    return export(module, module.example, "ethos-u55-128", samples)


@pytest.mark.campaign
@pytest.mark.time_limit(2400)
@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_architecture_answers_what_the_reference_answers(name: str, compile_tosa: Callable[..., bytes]) -> None:
    network = exported(name)
    simulator = Simulator(network.pte)
    assert simulator.hazards() == ()
    samples, golden, answers = [], [], set()
    for seed in range(SAMPLES):
        generator = np.random.default_rng(seed)
        inputs = [
            generator.integers(-128, 128, tensor.shape).astype(tensor.dtype) for tensor in simulator.method.inputs
        ]
        expected = network.golden(inputs)
        np.testing.assert_array_equal(simulator.run(inputs).outputs[0], expected[0])
        samples.append(inputs)
        golden.append(expected)
        answers.add(expected[0].tobytes())
    assert len(answers) > SAMPLES // 2, "the network hardly reacts to its input, so equality proves little"
    for npu in CONFIGURATIONS:
        runner = DelegateRunner(compile_tosa(network.tosa, npu), npu)
        if (name, npu) in TABLE_OUT_OF_BOUNDS:
            with pytest.raises(NpuFault, match="exceeds the internal memory"):
                runner.run(samples[0], [np.empty_like(array) for array in golden[0]])
            continue
        assert runner.hazards() == []
        for inputs, expected in zip(samples, golden, strict=True):
            outputs = [np.empty_like(array) for array in expected]
            runner.run(inputs, outputs)
            for output, array in zip(outputs, expected, strict=True):
                np.testing.assert_array_equal(output, array, err_msg=npu)
