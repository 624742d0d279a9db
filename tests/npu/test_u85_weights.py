# SPDX-License-Identifier: Apache-2.0
"""The weights and scales decoded from Vela's programs for U85 are those of the compiled graphs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from operator_cases import FAMILIES
from tosa_graph import Tensor
from u85_layers import Decoded, Known, Part, Recorder, layers_of, part_of
from vela_compiler import Refused, compile_tosa

from pilotlight.npu.arithmetic.weight_order_u85 import WeightGeometryU85

SIZES = (128, 256, 512, 1024, 2048)
OPTIONS = ((), ("--disable-fwd",), ("--optimise=Size",))
Values = Callable[[Recorder, tuple[int, ...]], NDArray[np.int8]]


def every_value(make: Recorder, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return make.generator.integers(-127, 127, shape, endpoint=True).astype(np.int8)


def few_values(count: int) -> Values:
    return lambda make, shape: make.generator.choice(np.arange(-60, 60, 120 // count), shape).astype(np.int8)


def two_of_four(make: Recorder, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return weights of which two of each four input channels are zero."""
    values = every_value(make, shape)
    fours = values.reshape(-1, 4)
    fours[make.generator.random(fours.shape).argsort(axis=1) < 2] = 0
    return values


def convolution(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int] = (1, 1),
    *,
    dtype: str = "int8",
    values: Values = every_value,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    size: int = 6,
) -> Callable[[Recorder], Tensor]:
    def add(make: Recorder) -> Tensor:
        x = make.activation(_input(kernel, stride, dilation, size, inputs), dtype)
        weights = values(make, (outputs, *kernel, inputs))
        return make.conv2d(x, weights, make.bias(outputs), stride=stride, dilation=dilation)

    return add


def depthwise(
    channels: int,
    kernel: tuple[int, int],
    *,
    dtype: str = "int8",
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
) -> Callable[[Recorder], Tensor]:
    def add(make: Recorder) -> Tensor:
        x = make.activation(_input(kernel, stride, dilation, 6, channels), dtype)
        weights = every_value(make, (*kernel, channels, 1))
        return make.depthwise_conv2d(x, weights, make.bias(channels), stride=stride, dilation=dilation)

    return add


def transposed(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int]
) -> Callable[[Recorder], Tensor]:
    def add(make: Recorder) -> Tensor:
        x = make.activation((1, 6, 5, inputs))
        weights = every_value(make, (outputs, *kernel, inputs))
        return make.transpose_conv2d(x, weights, make.bias(outputs), out_pad=(0, 0, 0, 0), stride=stride)

    return add


def _input(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], size: int, channels: int
) -> tuple[int, int, int, int]:
    height, width = (
        (size - 1) * step + (length - 1) * distance + 1
        for step, length, distance in zip(stride, kernel, dilation, strict=True)
    )
    return 1, height, width, channels


LAYERS = {
    "3 x 3": convolution(17, 24, (3, 3)),
    "few channels": convolution(3, 16, (3, 3), stride=(2, 2)),
    "fewer outputs than cores have": convolution(40, 3, (1, 1)),
    "stride 3": convolution(20, 20, (5, 4), stride=(3, 3)),
    "dilation 2": convolution(9, 33, (3, 5), dilation=(2, 2)),
    "beyond 8 x 8": convolution(5, 12, (9, 19)),
    "pointwise": convolution(130, 72),
    "fully connected": convolution(200, 130, size=1),
    "all values": convolution(64, 64, (3, 3)),
    "16 values": convolution(64, 64, values=few_values(16)),
    "4 values": convolution(256, 128, values=few_values(4)),
    "2:4": convolution(300, 72, values=two_of_four),
    "2:4, fully connected": convolution(200, 40, values=two_of_four, size=1),
    "2:4, 2 x 2": convolution(64, 24, (2, 2), values=two_of_four),
    "2:4, 3 x 3": convolution(64, 40, (3, 3), values=two_of_four),
    "int16": convolution(40, 33, (3, 3), dtype="int16"),
    "int16, stride 2": convolution(9, 16, (3, 4), dtype="int16", stride=(2, 1)),
    "int16, fully connected": convolution(200, 65, dtype="int16", size=1),
    "int16, 2:4": convolution(160, 24, values=two_of_four, dtype="int16"),
    "int16, 2:4, fully connected": convolution(200, 40, values=two_of_four, dtype="int16", size=1),
    "int16, 2:4, 3 x 3": convolution(32, 24, (3, 3), values=two_of_four, dtype="int16"),
    "depthwise": depthwise(33, (3, 3)),
    "depthwise, stride 2": depthwise(100, (5, 3), stride=(2, 2)),
    "depthwise, dilation 2": depthwise(17, (5, 3), dilation=(2, 1)),
    "depthwise, beyond 8 x 8": depthwise(24, (11, 9)),
    "depthwise, int16": depthwise(40, (3, 3), dtype="int16", stride=(1, 2)),
    "transposed": transposed(16, 24, (3, 3), (2, 2)),
    "transposed, stride 1": transposed(16, 12, (3, 2), (1, 1)),
}
# Another operation scales the sums of these.
SCALED_LATER = {"transposed", "transposed, stride 1"}


@cache
def compiled(name: str, macs: int, options: tuple[str, ...]) -> tuple[Recorder, bytes]:
    make = Recorder(np.random.default_rng(zlib.crc32(name.encode())))
    sums = LAYERS[name](make)
    make.output(make.requantise(sums, make.inputs[0].dtype, 1e5))
    return make, compile_tosa(make.serialize(), f"ethos-u85-{macs}", *options)


def matched(make: Recorder, blob: bytes, macs: int) -> Iterator[tuple[Decoded, Known, Part]]:
    """Yield each convolution of the program with the part of the graph that it is."""
    for decoded in layers_of(blob, macs):
        found = [(known, part) for known in make.known if (part := part_of(decoded, known)) is not None]
        assert found, f"no layer has these weights and biases: {decoded.geometry}"
        yield decoded, *found[0]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("macs", SIZES)
def test_decoded_weights_biases_and_scales_are_those_of_the_graph(macs: int, options: tuple[str, ...]) -> None:
    for name in LAYERS:
        make, blob = compiled(name, macs, options)
        (known,) = make.known
        missing = np.ones(known.weights.shape, bool)
        factors = make.factors_of[known.sums.name]
        scaled = np.zeros(factors.shape, bool)
        for decoded, _, part in matched(make, blob, macs):
            missing[part] = False
            if decoded.scaled and name not in SCALED_LATER:
                found = np.ldexp(decoded.scales.multiplier.astype(np.float64), -decoded.scales.shift)
                np.testing.assert_array_equal(found, factors[part[3]], name)
                scaled[part[3]] = True
        assert not missing.any(), name
        assert scaled.all() or name in SCALED_LATER, name


# What Vela chooses for the layers above: 8-bit and 16-bit input, depth-first and part-kernel order.
KINDS = {(order, bits, sparse) for order in ("depth", "part") for bits in (8, 16) for sparse in (False, True)}


def kind(geometry: WeightGeometryU85) -> tuple[str, int, bool]:
    order = "depthwise" if geometry.depthwise else "part" if geometry.part_kernel_first else "depth"
    return order, geometry.ifm_bits, geometry.sparse


@pytest.mark.parametrize("macs", SIZES)
def test_the_layers_have_every_order_and_format(macs: int) -> None:
    geometries = {
        decoded.geometry
        for options in OPTIONS
        for name in LAYERS
        for decoded in layers_of(compiled(name, macs, options)[1], macs)
    }
    assert {kind(geometry) for geometry in geometries} >= KINDS | {("depthwise", 8, False), ("depthwise", 16, False)}
    assert {kind(geometry)[:2] for geometry in geometries if geometry.fast} >= {("depth", 8), ("part", 8)}


@pytest.mark.campaign
@pytest.mark.parametrize("family", ["conv2d", "conv2d_int16", "depthwise_conv2d", "transpose_conv2d", "cascade"])
def test_decoded_weights_of_random_layers_are_those_of_the_graph(family: str) -> None:
    compared = 0
    for number in range(200):
        make = Recorder(np.random.default_rng((number, zlib.crc32(family.encode()))))
        FAMILIES[family](make)
        macs, options = SIZES[number % len(SIZES)], OPTIONS[number // len(SIZES) % len(OPTIONS)]
        try:
            blob = compile_tosa(make.serialize(), f"ethos-u85-{macs}", *options)
        except Refused:
            continue
        compared += len(list(matched(make, blob, macs)))
    assert compared > 200
