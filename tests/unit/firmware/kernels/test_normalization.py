# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import FLOATS, tensor
from kernel_check import Check
from kernel_library import Output

LAYER = "aten::native_layer_norm.out"
GROUP = "aten::native_group_norm.out"
BATCH = "aten::_native_batch_norm_legit_no_training.out"
INSTANCE = "aten::_native_batch_norm_legit.no_stats_out"
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-13, torch.float16: 2e-3}


def _tolerance(dtype: torch.dtype) -> dict[str, Any]:
    return {"float64": True, "rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_layer_normalisation(check: Check, dtype: torch.dtype) -> None:
    for shape, normalised in (((4, 6), [6]), ((2, 3, 5), [3, 5]), ((7,), [7]), ((2, 3, 4), [2, 3, 4])):
        values = tensor(shape, dtype) * 3 + 5
        weight, bias = tensor(normalised, dtype, 1), tensor(normalised, dtype, 2)
        for some_weight in (None, weight):
            for some_bias in (None, bias):
                check(LAYER, values, normalised, some_weight, some_bias, 1e-5, **_tolerance(dtype))
    check(LAYER, torch.zeros(0, 4, dtype=dtype), [4], None, None, 1e-5, **_tolerance(dtype))
    check(LAYER, torch.full((2, 4), 3, dtype=dtype), [4], None, None, 1e-5, **_tolerance(dtype))


def test_layer_normalisation_of_nan(check: Check) -> None:
    values = torch.tensor([[1.0, float("nan"), 2.0], [1.0, 2.0, 3.0]])
    check(LAYER, values, [3], None, None, 1e-5, **_tolerance(torch.float32))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_group_normalisation(check: Check, dtype: torch.dtype) -> None:
    for shape, groups in (((2, 6, 4, 5), 3), ((1, 4, 7), 1), ((2, 4), 2), ((3, 4, 2, 2), 4), ((2, 4, 2, 3, 2), 2)):
        pixels = torch.Size(shape[2:]).numel()
        weight, bias = tensor((shape[1],), dtype, 1), tensor((shape[1],), dtype, 2)
        parameters = (shape[0], shape[1], pixels, groups, 1e-5)
        values = tensor(shape, dtype) + 1
        check(GROUP, values, weight, bias, *parameters, **_tolerance(dtype))
        check(GROUP, values, None, None, *parameters, **_tolerance(dtype))
        if len(shape) == 4:
            by_pixel = values.contiguous(memory_format=torch.channels_last)
            check(GROUP, by_pixel, weight, bias, *parameters, out_order=(0, 2, 3, 1), **_tolerance(dtype))
            check(GROUP, by_pixel, weight, None, *parameters, out_order=(0, 1, 2, 3), **_tolerance(dtype))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_batch_normalisation(check: Check, dtype: torch.dtype) -> None:
    for shape in ((2, 3, 4, 5), (4, 3), (2, 3, 6), (1, 3, 2, 2, 2), (0, 3, 2)):
        mean, variance = tensor((3,), dtype, 1), tensor((3,), dtype, 2).abs() + 0.5
        weight, bias = tensor((3,), dtype, 3), tensor((3,), dtype, 4)
        for some_weight, some_bias in ((None, None), (weight, bias), (weight, None)):
            for values in (tensor(shape, dtype), tensor(shape, dtype).transpose(0, 1).contiguous().transpose(0, 1)):
                check(BATCH, values, some_weight, some_bias, mean, variance, 0.1, 1e-3, **_tolerance(dtype))
    image = tensor((2, 3, 4, 5), dtype).contiguous(memory_format=torch.channels_last)
    check(BATCH, image, weight, bias, mean, variance, 0.1, 1e-3, out_order=(0, 2, 3, 1), **_tolerance(dtype))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_instance_normalisation(check: Check, dtype: torch.dtype) -> None:
    for shape in ((1, 6, 4, 5), (2, 6, 7), (5, 6)):
        weight, bias = tensor((6,), dtype, 3), tensor((6,), dtype, 4)
        for some_weight, some_bias in ((None, None), (weight, bias)):
            values = tensor(shape, dtype) * 2 + 1
            check(INSTANCE, values, some_weight, some_bias, True, 0.1, 1e-5, **_tolerance(dtype))


def test_normalisations_that_do_not_fit_are_refused(check: Check) -> None:
    values, good = torch.ones(2, 4), Output((2, 4), torch.float32)
    rows, channels = Output((2, 1), torch.float32), Output((4,), torch.float32)
    nothing, groups = Output((0,), torch.float32), Output((2, 2), torch.float32)
    four = torch.ones(4)
    layer = [good, rows, rows]
    check.refuses(LAYER, values, [3], None, None, 1e-5, outputs=layer)
    check.refuses(LAYER, values, [], None, None, 1e-5, outputs=layer)
    check.refuses(LAYER, values, [2, 2, 4], None, None, 1e-5, outputs=layer)
    check.refuses(LAYER, values, [4], torch.ones(3), None, 1e-5, outputs=layer)
    check.refuses(LAYER, values, [4], None, four.double(), 1e-5, outputs=layer)
    check.refuses_outputs(LAYER, values, [4], None, None, 1e-5, outputs=[good, channels, rows])
    check.refuses(GROUP, values, None, None, 2, 4, 1, 3, 1e-5, outputs=[good, groups, groups])
    check.refuses(GROUP, values, None, None, 2, 4, 1, 0, 1e-5, outputs=[good, groups, groups])
    check.refuses(GROUP, values, None, None, 2, 4, 2, 2, 1e-5, outputs=[good, groups, groups])
    check.refuses(GROUP, values, None, None, 4, 2, 1, 2, 1e-5, outputs=[good, groups, groups])
    check.refuses(GROUP, values, torch.ones(2), None, 2, 4, 1, 2, 1e-5, outputs=[good, groups, groups])
    check.refuses(BATCH, values, None, None, torch.ones(3), four, 0.1, 1e-5, outputs=[good, nothing, nothing])
    check.refuses(BATCH, values, None, torch.ones(5), four, four, 0.1, 1e-5, outputs=[good, nothing, nothing])
    check.refuses(BATCH, four, None, None, four, four, 0.1, 1e-5, outputs=[channels, nothing, nothing])
    check.refuses(INSTANCE, values, None, None, False, 0.1, 1e-5, outputs=[good, channels, channels])
    check.refuses(INSTANCE, values, torch.ones(2), None, True, 0.1, 1e-5, outputs=[good, channels, channels])


def test_integers_are_not_normalised(check: Check) -> None:
    values, four = torch.ones(2, 4).int(), torch.ones(4).int()

    def outputs(*shapes: tuple[int, ...]) -> list[Output]:
        return [Output(shape, torch.int32) for shape in shapes]

    check.refuses(LAYER, values, [4], None, None, 1e-5, outputs=outputs((2, 4), (2, 1), (2, 1)))
    check.refuses(GROUP, values, None, None, 2, 4, 1, 2, 1e-5, outputs=outputs((2, 4), (2, 2), (2, 2)))
    check.refuses(BATCH, values, None, None, four, four, 0.1, 1e-5, outputs=outputs((2, 4), (0,), (0,)))
    check.refuses(INSTANCE, values, None, None, True, 0.1, 1e-5, outputs=outputs((2, 4), (4,), (4,)))
