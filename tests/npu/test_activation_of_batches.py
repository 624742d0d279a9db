# SPDX-License-Identifier: Apache-2.0
"""Vela compiles a 1x1 convolution of several batches wrongly if an activation follows it.

docs/FINDINGS.md has the analysis. Where the test is an expected failure, a pass means that Vela
compiles it right.
"""

from __future__ import annotations

import numpy as np
import pytest
from campaign import Ending, run_case
from operator_cases import Case, Maker

CHANNELS = 8


def case(shape: tuple[int, int, int, int], kernel: int, activation: str, npu: str) -> Case:
    make = Maker(np.random.default_rng(0))
    weights, pad = make.weights((CHANNELS, kernel, kernel, shape[3])), kernel // 2
    sums = make.conv2d(make.activation(shape), weights, make.bias(CHANNELS), pad=(pad, pad, pad, pad), zero_point=3)
    result = make.requantise(sums, "int8", 74.0 * 90.0 * (kernel * kernel * shape[3]) ** 0.5)
    if activation == "clamp":
        result = make.clamp(result, -20, 60)
    elif activation == "table":
        result = make.table(result, make.generator.integers(-128, 127, 256).tolist())
    make.output(result)
    name = f"{kernel}x{kernel} convolution of {shape} and {activation}"
    tensors = tuple(make.inputs), tuple(make.outputs)
    return Case(name, "batches", name, npu, (), make.serialize(), *tensors, tuple(make.ranges), (0,))


@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
@pytest.mark.parametrize("activation", ["clamp", "table"])
@pytest.mark.parametrize("shape", [(4, 1, 1, 16), (4, 3, 3, 16)])
@pytest.mark.xfail(strict=True, reason="Vela 5.1 gives the convolution another input than its output has")
def test_an_activation_after_a_1x1_convolution_of_batches(
    shape: tuple[int, int, int, int], activation: str, npu: str
) -> None:
    outcome = run_case(case(shape, 1, activation, npu), samples=2)
    assert outcome.ending is Ending.EQUAL, outcome.detail


@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u85-256"])
@pytest.mark.parametrize(
    ("shape", "kernel", "activation"),
    [((4, 3, 3, 16), 1, "none"), ((4, 3, 3, 16), 3, "table"), ((1, 3, 3, 16), 1, "table"), ((4, 1, 4, 8), 1, "clamp")],
)
def test_its_neighbours_are_compiled_right(
    shape: tuple[int, int, int, int], kernel: int, activation: str, npu: str
) -> None:
    outcome = run_case(case(shape, kernel, activation, npu), samples=2)
    assert outcome.ending is Ending.EQUAL, outcome.detail
