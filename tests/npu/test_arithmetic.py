# SPDX-License-Identifier: Apache-2.0
"""Rounding, output stage, pools and elementwise operations, compared with plain Python integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.npu.arithmetic.activation import ActivationTable
from pilotlight.npu.arithmetic.convolution import accumulator_dtype, convolve
from pilotlight.npu.arithmetic.elementwise import OperandScaling, combine, unary
from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.arithmetic.pooling import maximum, mean_scaling, window_sums
from pilotlight.npu.arithmetic.scaling import scale
from pilotlight.npu.arithmetic.scratch import Scratch
from pilotlight.npu.arithmetic.weight_matrix import Weights
from pilotlight.npu.stream.isa import ElementwiseMode, RoundMode, ScaleMode, Upscale
from pilotlight.npu.stream.kernel import Kernel, upscale

_ACCUMULATORS = st.integers(-(1 << 31), (1 << 31) - 1)
_MULTIPLIERS = st.integers(0, (1 << 32) - 1)


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def doubling_high_multiply(value: int, multiplier: int, shift: int) -> int:
    """Round as TFLite does: to 31 bits, half up; then to the result, half away from zero."""
    high = half_up(Fraction(value * multiplier, 1 << 31))
    quotient = Fraction(abs(high), 1 << shift - 31)
    return half_up(quotient) if high >= 0 else -half_up(quotient)


@given(_ACCUMULATORS, _MULTIPLIERS, st.integers(0, 63))
def test_natural_rounds_half_up(value: int, multiplier: int, shift: int) -> None:
    expected = half_up(Fraction(value * multiplier, 1 << shift))
    assert scale(np.array([value]), multiplier, shift, RoundMode.NATURAL)[0] == expected


@given(_ACCUMULATORS, _MULTIPLIERS, st.integers(0, 63))
def test_truncate_rounds_towards_zero(value: int, multiplier: int, shift: int) -> None:
    exact = Fraction(value * multiplier, 1 << shift)
    expected = int(exact)
    assert scale(np.array([value]), multiplier, shift, RoundMode.TRUNCATE)[0] == expected


@given(_ACCUMULATORS, st.integers(1 << 30, (1 << 31) - 1), st.integers(32, 50))
def test_double_rounds_twice(value: int, multiplier: int, shift: int) -> None:
    expected = doubling_high_multiply(value, multiplier, shift)
    assert scale(np.array([value]), multiplier, shift, RoundMode.DOUBLE)[0] == expected


@settings(max_examples=300)
@given(
    st.lists(_ACCUMULATORS, min_size=1, max_size=40),
    _MULTIPLIERS,
    st.integers(0, 63),
    st.integers(-128, 127),
    st.sampled_from([RoundMode.NATURAL, RoundMode.DOUBLE]),
    st.sampled_from([(np.int8, -128, 127), (np.int8, -128, 6), (np.uint8, 0, 255), (np.int16, -32768, 32767)]),
)
def test_the_fast_output_stage_equals_integer_arithmetic(
    values: list[int],
    multiplier: int,
    shift: int,
    zero_point: int,
    round_mode: RoundMode,
    kind: tuple[type, int, int],
) -> None:
    dtype, low, high = kind
    accumulators = np.array(values, np.int64).reshape(1, 1, -1)
    stage = OutputStage(multiplier, shift, round_mode, zero_point, (low, high), None, np.dtype(dtype))
    expected = np.clip(scale(accumulators, multiplier, shift, round_mode) + zero_point, low, high)
    np.testing.assert_array_equal(stage.apply(accumulators), expected)
    with_bias = replace(stage, bias=np.arange(len(values), dtype=np.float64))
    np.testing.assert_array_equal(with_bias.apply(accumulators.astype(np.float64) - with_bias.bias), expected)


def test_ties_and_their_neighbours_round_right_in_every_channel() -> None:
    # multiplier / 2**shift = 2**-8, exactly or almost: products are a half, or just above or below.
    multipliers = np.array([1 << 30, (1 << 30) - 1, (1 << 30) + 1], np.int64)
    shifts = np.array([38, 38, 38], np.int64)
    values = np.arange(-(1 << 16), 1 << 16)
    accumulators = np.repeat(values[:, None], 3, axis=1)
    stage = OutputStage(multipliers, shifts, RoundMode.NATURAL, 3, (-128, 127), None, np.dtype(np.int8))
    expected = np.clip((accumulators * multipliers + (1 << 37) >> 38) + 3, -128, 127)
    np.testing.assert_array_equal(stage.apply(accumulators.astype(np.float32)), expected)


def tosa_mean(total: int, count: int) -> int:
    """Return AVG_POOL2D's mean by the TOSA specification.

    The reciprocal is a little too large, so -n.5 rounds down.
    """
    bits = (count - 1).bit_length()
    multiplier = ((1 << 30) + 1 << bits) // count
    return total * multiplier + (1 << 29 + bits) >> 30 + bits


def test_a_product_too_long_for_a_double_still_rounds_right() -> None:
    # (2**29 + 1) * (2**30 - 2) = 2**59 - 2, just below half of 2**60. As a double, the product is
    # exactly that half.
    stage = OutputStage((1 << 29) + 1, 60, RoundMode.NATURAL, 0, (-128, 127), None, np.dtype(np.int8))
    assert stage.apply(np.array([[[(1 << 30) - 2]]])).item() == 0


@pytest.mark.parametrize("depth", [300, 1200])
def test_sums_are_exact_on_both_sides_of_what_float32_holds(depth: int) -> None:
    # All products are odd: beyond 2**24 a float32 would drop the last bit of the sum.
    inputs = np.full((2, 2, depth), -255, np.int64)
    matrix = np.full((depth, 2), 127, np.int64)
    matrix[0, 1] = 126
    weights = Weights.of(matrix.astype(np.float32))
    values = inputs.astype(accumulator_dtype(weights, largest_input=255))
    window = Kernel(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, part_kernel_first=False)
    np.testing.assert_array_equal(convolve(values, weights, window, 2, 2, Scratch()), inputs @ matrix)


def kernel(size: int, stride: int, pad: int, dilation: int = 1) -> Kernel:
    return Kernel(size, size, stride, stride, dilation, dilation, pad, pad, pad, pad, part_kernel_first=False)


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 1, 1), (3, 2, 1), (2, 2, 0), (5, 3, 2)])
def test_pools_equal_loops_over_windows(size: int, stride: int, pad: int) -> None:
    values = np.random.default_rng(0).integers(-128, 128, (11, 11, 3)).astype(np.int8)
    window = kernel(size, stride, pad)
    count = (11 + 2 * pad - size) // stride + 1
    high = maximum(values, window, count, count)
    sums = window_sums(values.astype(np.int64), window, count, count)
    means = mean_scaling(window, count, count, 11, 11, 31).apply(sums)
    for y in range(count):
        for x in range(count):
            top, left = y * stride - pad, x * stride - pad
            part = values[max(0, top) : top + size, max(0, left) : left + size].astype(int)
            np.testing.assert_array_equal(high[y, x], part.max(axis=(0, 1)))
            np.testing.assert_array_equal(sums[y, x], part.sum(axis=(0, 1)))
            number = part.shape[0] * part.shape[1]
            expected = [tosa_mean(int(total), number) for total in part.sum(axis=(0, 1))]
            np.testing.assert_array_equal(means[y, x], expected)


def test_upscaling_repeats_or_spreads_elements() -> None:
    values = np.array([[[1], [2]]], np.int8)
    nearest = upscale(values, Upscale.NEAREST, 2, 3, 0)
    np.testing.assert_array_equal(nearest[:, :, 0], [[1, 1, 2], [1, 1, 2]])
    zeros = upscale(values, Upscale.ZEROS, 2, 3, 9)
    np.testing.assert_array_equal(zeros[:, :, 0], [[1, 9, 2], [9, 9, 9]])


@pytest.mark.parametrize(
    ("mode", "a", "b", "swapped", "expected"),
    [
        (ElementwiseMode.SUB, 7, 9, False, -2),
        (ElementwiseMode.SUB, 7, 9, True, 2),
        (ElementwiseMode.MUL, -7, 9, False, -63),
        (ElementwiseMode.SHR, 7, 1, False, 4),
        (ElementwiseMode.SHR, -7, 1, False, -3),
        (ElementwiseMode.SHL, 1, 31, False, -(1 << 31)),
        (ElementwiseMode.MIN, 3, -4, False, -4),
        (ElementwiseMode.MAX, 3, -4, False, 3),
    ],
)
def test_elementwise_operations(mode: ElementwiseMode, a: int, b: int, swapped: bool, expected: int) -> None:
    result = combine(mode, np.array([a]), np.array([b]), swapped=swapped, round_mode=RoundMode.NATURAL, bits=32)
    assert result[0] == expected


@pytest.mark.parametrize(("round_mode", "expected"), [(RoundMode.DOUBLE, [1, -1]), (RoundMode.NATURAL, [0, 0])])
@pytest.mark.parametrize("mode", [ScaleMode.OPA_32, ScaleMode.OPB_32])
def test_operand_scaling_rounds_eight_bit_data_first_to_eleven_bits(
    mode: ScaleMode, round_mode: RoundMode, expected: list[int]
) -> None:
    # One unit below a half: only the first of the two roundings makes it a half.
    scaling = OperandScaling(mode, round_mode, (1 << 19) - 1, 20, 0, 19)
    scaled, shifted = scaling.first(np.array([1, -1])), scaling.second(np.array([1, -1]))
    if mode is ScaleMode.OPB_32:
        scaled, shifted = shifted, scaled
    np.testing.assert_array_equal(scaled, expected)
    np.testing.assert_array_equal(shifted, [1 << 19, -(1 << 19)])


def test_tables_for_sixteen_bits_interpolate() -> None:
    entries = np.zeros((512, 2), np.int16)
    entries[256] = 10, 1
    entries[257] = -5, -300
    # Position 0 is entry 256. Half a step up and half a step down both round up.
    values = np.array([0, 63, 64, 127, 128, 128 + 64, 128 + 127])
    narrow = ActivationTable(entries.view(np.uint8).ravel(), signed=True, wide_index=True, result_bytes=2)
    np.testing.assert_array_equal(narrow.look_up(values), [10, 10, 11, 11, -5, -155, -303])
    wide = ActivationTable(entries.view(np.uint8).ravel(), signed=True, wide_index=True, result_bytes=4)
    np.testing.assert_array_equal(wide.look_up(values), [1280, 1343, 1344, 1407, -640, -19840, -38740])


def test_leading_zeros_of_every_length() -> None:
    values = np.array([0, 1, 2, 3, 255, 256, (1 << 31) - 1, -1])
    result = unary(ElementwiseMode.CLZ, values)
    np.testing.assert_array_equal(result, [32, 31, 30, 30, 24, 23, 1, 0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 700, 40_000]), st.sampled_from([1, 255, 32_768]))
def test_sums_of_weights_are_exact_up_to_any_magnitude(seed: int, rows: int, largest: int) -> None:
    random = np.random.default_rng(seed)
    integers = random.integers(-largest, largest, (rows, 5), endpoint=True)
    if seed % 3 == 0:
        integers = np.full_like(integers, largest - seed % 2)
    matrix = integers.astype(np.float32)
    weights = Weights.of(matrix)
    assert weights.largest_sum == np.abs(integers).sum(axis=0).max()
    np.testing.assert_array_equal(weights.sums, integers.sum(axis=0))
