# SPDX-License-Identifier: Apache-2.0
"""Graphs that Vela 5.1 compiles wrongly, and their neighbours that it compiles right.

docs/FINDINGS.md has the analyses. Where a test is an expected failure, a pass means that Vela
compiles the graph right.
"""

from __future__ import annotations

import numpy as np
import pytest
from campaign import Ending, run_case
from operator_cases import Case, Maker, deviation_of
from tosa_graph import Tensor


def finished(make: Maker, name: str, npu: str) -> Case:
    tensors = tuple(make.inputs), tuple(make.outputs)
    return Case(name, "mis-compiled", name, npu, (), make.serialize(), *tensors, tuple(make.ranges), (0,))


def assert_right(case: Case) -> None:
    outcome = run_case(case, samples=2)
    assert outcome.ending is Ending.EQUAL, outcome.detail


# -- a convolution with a stride above 3 -----------------------------------------------------------


def far_steps(stride: int, pad: tuple[int, int], channels: int, npu: str) -> Case:
    """A convolution of 6 rows with a kernel of 5 rows."""
    make = Maker(np.random.default_rng(1))
    weights, bias = make.weights((channels, 5, 1, 8)), make.bias(channels)
    sums = make.conv2d(make.activation((1, 6, 11, 8), "int16"), weights, bias, pad=(*pad, 0, 0), stride=(stride, 1))
    make.output(make.requantise(sums, "int16", deviation_of("int16", 40), per_channel=False))
    return finished(make, f"stride {stride}, padding {pad}, {channels} channels", npu)


@pytest.mark.xfail(strict=True, reason="Vela 5.1 takes rows of the input for padding")
@pytest.mark.parametrize("npu", ["ethos-u85-128", "ethos-u85-256"])
@pytest.mark.parametrize("pad", [(3, 4), (4, 3)])
def test_a_convolution_with_a_stride_above_3_and_padding_at_both_ends(pad: tuple[int, int], npu: str) -> None:
    assert_right(far_steps(4, pad, 17, npu))


@pytest.mark.parametrize(
    ("stride", "pad", "channels", "npu"),
    [
        (4, (3, 0), 17, "ethos-u85-256"),
        (4, (0, 3), 17, "ethos-u85-256"),
        (4, (3, 4), 8, "ethos-u85-256"),
        (4, (3, 4), 17, "ethos-u85-512"),
        (2, (3, 4), 17, "ethos-u85-256"),
    ],
)
def test_its_neighbours_are_compiled_right(stride: int, pad: tuple[int, int], channels: int, npu: str) -> None:
    assert_right(far_steps(stride, pad, channels, npu))


def test_an_input_of_a_negative_size_is_a_fault() -> None:
    """With much more padding than input, Vela writes a width of -2. Nothing is known of silicon."""
    make = Maker(np.random.default_rng(1))
    x = make.activation((1, 13, 6, 32))
    weights, bias = make.weights((15, 5, 9, 32)), make.bias(15)
    sums = make.conv2d(x, weights, bias, pad=(0, 4, 16, 1), stride=(4, 1), dilation=(1, 2))
    make.output(make.requantise(sums, "int8", deviation_of("int8", 45 * 32), per_channel=False))
    outcome = run_case(finished(make, "much padding", "ethos-u85-256"), samples=1)
    assert outcome.ending is Ending.DEVIATING
    assert "padding leaves an input of 4x-2" in outcome.detail


# -- a product that reads a transposed result ------------------------------------------------------


def transposed_key(producer: str, heads: int, npu: str) -> Case:
    """The scores of an attention with nine tokens, whose keys come from `producer`."""
    make = Maker(np.random.default_rng(3))
    tokens, width = 9, 8
    keys = _keys(make, producer, (1, tokens, 1, heads * width))
    split = make.transpose(make.reshape(keys, (1, tokens, heads, width)), (0, 2, 1, 3))
    second = make.transpose(make.reshape(split, (heads, tokens, width)), (0, 2, 1))
    scores = make.matmul(make.activation((heads, 5, width)), second)
    make.output(make.requantise(scores, "int8", 7500.0, per_channel=False))
    return finished(make, f"{producer}, {heads} heads", npu)


def _keys(make: Maker, producer: str, shape: tuple[int, int, int, int]) -> Tensor:
    x = make.activation(shape)
    if producer == "input":
        return x
    if producer == "sum":
        wide = [make.rescale(part, "int32", [1 << 30], [10]) for part in (x, make.activation(shape))]
        return make.rescale(make.binary("add", *wide), "int8", [1 << 30], [51])
    sums = make.conv2d(x, make.weights((shape[3], 1, 1, shape[3])), make.bias(shape[3]))
    keys = make.requantise(sums, "int8", deviation_of("int8", shape[3]), per_channel=False, zero_point=0)
    return make.clamp(keys, -120, 120) if producer == "convolution and clamp" else keys


@pytest.mark.xfail(strict=True, reason="Vela 5.1 gives an operator another input than its output has")
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-512", "ethos-u85-256"])
@pytest.mark.parametrize("producer", ["convolution", "sum"])
def test_a_product_of_keys_with_one_head(producer: str, npu: str) -> None:
    assert_right(transposed_key(producer, 1, npu))


@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u85-256"])
@pytest.mark.parametrize(
    ("producer", "heads"), [("convolution", 2), ("sum", 2), ("input", 1), ("convolution and clamp", 1)]
)
def test_products_of_its_neighbours_are_compiled_right(producer: str, heads: int, npu: str) -> None:
    assert_right(transposed_key(producer, heads, npu))
