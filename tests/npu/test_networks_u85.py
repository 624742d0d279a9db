# SPDX-License-Identifier: Apache-2.0
"""Whole networks on Ethos-U85, compared bit for bit with the TOSA reference model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from exported import Exported
from networks_u85 import U85_NETWORKS, exported_for_u85
from test_networks import assert_equals_golden, random_inputs

from pilotlight.npu import Simulator
from pilotlight.npu.delegate_runner import DelegateRunner

U85 = ("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048")
SAMPLES = 4
OPTIONS = (
    *((), ("--disable-fwd",), ("--disable-chaining",), ("--optimise=Size",), ("--disable-cascading",)),
    ("--optimise=Performance", "--arena-cache-size=16384"),
)


# Other tests export these networks for U55 in the same session.
@pytest.mark.parametrize(
    ("name", "npu"), zip(("convolutional", "keyword", "transformer", "oddments"), U85, strict=False)
)
def test_a_network_answers_what_the_reference_answers(
    name: str, npu: str, exported_network: Callable[[str], Exported], compile_tosa: Callable[..., bytes]
) -> None:
    network = exported_network(name)
    runner = DelegateRunner(compile_tosa(network.tosa, npu), npu)
    assert runner.hazards() == []
    assert_equals_golden(network, runner, samples=2)


def test_a_program_exported_for_u85_answers_what_the_reference_answers(compile_tosa: Callable[..., bytes]) -> None:
    _assert_right("catrelu", compile_tosa, options=((),))


@pytest.mark.campaign
@pytest.mark.time_limit(2400)
@pytest.mark.parametrize("name", U85_NETWORKS)
def test_every_size_and_strategy_answers_what_the_reference_answers(
    name: str, compile_tosa: Callable[..., bytes]
) -> None:
    _assert_right(name, compile_tosa, OPTIONS)


def _assert_right(name: str, compile_tosa: Callable[..., bytes], options: tuple[tuple[str, ...], ...]) -> None:
    """Compare the exported program, and those that Vela makes of its graph for each size."""
    network = exported_for_u85(name)
    simulator = Simulator(network.pte)
    assert simulator.hazards() == ()
    inputs = [random_inputs(simulator, seed) for seed in range(SAMPLES)]
    golden = [network.golden(sample) for sample in inputs]
    assert len({expected[0].tobytes() for expected in golden}) > SAMPLES // 2, "the network hardly reacts"
    for sample, expected in zip(inputs, golden, strict=True):
        for output, array in zip(simulator.run(sample).outputs, expected, strict=True):
            np.testing.assert_array_equal(output.reshape(array.shape), array)
    for npu in U85:
        for choice in options:
            runner = DelegateRunner(compile_tosa(network.tosa, npu, *choice), npu)
            assert runner.hazards() == [], f"{npu} {choice}"
            for sample, expected in zip(inputs, golden, strict=True):
                outputs = [np.empty_like(array) for array in expected]
                runner.run(sample, outputs)
                for output, array in zip(outputs, expected, strict=True):
                    np.testing.assert_array_equal(output, array, err_msg=f"{npu} {choice}")
