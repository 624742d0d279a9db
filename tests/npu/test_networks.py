# SPDX-License-Identifier: Apache-2.0
"""Whole networks on the simulator, compared bit for bit with the TOSA reference model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from exported import Exported

from pilotlight.npu import Simulator
from pilotlight.npu.delegate_runner import DelegateRunner

NAMES = ("convolutional", "keyword", "transformer", "oddments")
U55 = ("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256")
U65 = ("ethos-u65-256", "ethos-u65-512")
SAMPLES = 16


def random_inputs(simulator: Simulator, seed: int) -> list[np.ndarray]:
    """Return noise between random bounds, so that samples differ in brightness and contrast too."""
    generator = np.random.default_rng(seed)
    low, high = sorted(generator.integers(-128, 128, 2))
    return [generator.integers(low, high + 1, tensor.shape).astype(tensor.dtype) for tensor in simulator.method.inputs]


@pytest.mark.parametrize("name", NAMES)
def test_program_answers_what_the_reference_answers(name: str, exported_network: Callable[[str], Exported]) -> None:
    network = exported_network(name)
    simulator = Simulator(network.pte)
    answers = set()
    for seed in range(SAMPLES):
        inputs = random_inputs(simulator, seed)
        outputs = simulator.run(inputs).outputs
        golden = network.golden(inputs)
        assert len(outputs) == len(golden)
        for output, expected in zip(outputs, golden, strict=True):
            np.testing.assert_array_equal(output, expected)
        answers.add(outputs[0].tobytes())
    assert len(answers) > SAMPLES // 2, "the network hardly reacts to its input, so equality proves little"


@pytest.mark.parametrize("npu", (*U55, *U65))
@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_gives_the_same_answer(
    name: str, npu: str, exported_network: Callable[[str], Exported], compile_tosa: Callable[..., bytes]
) -> None:
    network = exported_network(name)
    blob = compile_tosa(network.tosa, npu)
    assert_equals_golden(network, DelegateRunner(blob, npu), samples=4)


@pytest.mark.parametrize(
    "options",
    (
        ("--optimise=Size",),
        ("--disable-cascading",),
        ("--disable-buffering",),
        ("--optimise=Performance", "--arena-cache-size=8192"),
    ),
    ids=lambda options: options[-1].strip("-"),
)
def test_the_compiler_s_strategies_give_the_same_answer(
    options: tuple[str, ...], exported_network: Callable[[str], Exported], compile_tosa: Callable[..., bytes]
) -> None:
    network = exported_network("convolutional")
    blob = compile_tosa(network.tosa, "ethos-u55-256", *options)
    assert_equals_golden(network, DelegateRunner(blob), samples=4)


def assert_equals_golden(network: Exported, runner: DelegateRunner, samples: int) -> None:
    simulator = Simulator(network.pte)
    for seed in range(samples):
        inputs = random_inputs(simulator, seed)
        golden = network.golden(inputs)
        outputs = [np.zeros_like(expected) for expected in golden]
        runner.run(inputs, outputs)
        for output, expected in zip(outputs, golden, strict=True):
            np.testing.assert_array_equal(output, expected)
