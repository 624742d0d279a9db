# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from kernel_check import Check
from kernel_library import Error, Output
from torch.ao.quantization.fx import _decomposed  # noqa: F401  registers torch.ops.quantized_decomposed

QUANTISED = {torch.int8: (-128, 127), torch.uint8: (0, 255), torch.int16: (-32768, 32767)}
SHAPES = ((), (0,), (7,), (2, 3, 4, 5))


@pytest.mark.parametrize("dtype", QUANTISED)
def test_quantize_per_tensor_rounds_and_clamps_as_pytorch_does(check: Check, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    for shape in SHAPES:
        values = torch.randn(shape) * 40
        check("quantized_decomposed::quantize_per_tensor.out", values, 0.25, 3, *QUANTISED[dtype], dtype)
    image = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    check("quantized_decomposed::quantize_per_tensor.out", image, 0.01, 0, *QUANTISED[dtype], dtype)


@pytest.mark.parametrize("dtype", QUANTISED)
def test_dequantize_per_tensor_is_pytorchs(check: Check, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    for shape in SHAPES:
        values = torch.randint(*QUANTISED[dtype], shape, dtype=dtype)
        check("quantized_decomposed::dequantize_per_tensor.out", values, 0.1, 3, *QUANTISED[dtype], dtype)


def test_quantize_per_tensor_refuses_limits_outside_the_dtype(check: Check) -> None:
    out = [Output((3,), torch.int8)]
    check.refuses(
        "quantized_decomposed::quantize_per_tensor.out", torch.ones(3), 0.5, 0, -200, 127, torch.int8, outputs=out
    )
    check.refuses(
        "quantized_decomposed::quantize_per_tensor.out",
        torch.ones(3).double(),
        0.5,
        0,
        -128,
        127,
        torch.int8,
        outputs=out,
        error=Error.InvalidArgument,
    )


@pytest.mark.parametrize("dtype", QUANTISED)
def test_scale_and_zero_point_may_come_as_tensors(check: Check, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    values = torch.randn(3, 5) * 40
    integers = torch.randint(*QUANTISED[dtype], (3, 5), dtype=dtype)
    for scale in (torch.tensor([0.3]), torch.tensor([0.3], dtype=torch.float64)):
        for zero_point in (torch.tensor([3]), torch.tensor([3], dtype=torch.int32)):
            limits = (*QUANTISED[dtype], dtype)
            golden = torch.ops.quantized_decomposed.quantize_per_tensor(values, scale.item(), 3, *limits)
            check(
                "quantized_decomposed::quantize_per_tensor.Tensor_out",
                values,
                scale,
                zero_point,
                *limits,
                golden=golden,
            )
            golden = torch.ops.quantized_decomposed.dequantize_per_tensor(integers, scale.item(), 3, *limits)
            check(
                "quantized_decomposed::dequantize_per_tensor.Tensor_out",
                integers,
                scale,
                zero_point,
                *limits,
                golden=golden,
            )


@pytest.mark.parametrize("dtype", QUANTISED)
def test_a_scale_for_each_channel(check: Check, dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    limits = (*QUANTISED[dtype], dtype)
    for shape, axis in (((3, 5), 0), ((2, 3, 4, 5), 1), ((4, 2, 3), 2), ((6,), 0), ((0, 3), 1)):
        values = torch.randn(shape) * 40
        integers = torch.randint(*QUANTISED[dtype], shape, dtype=dtype)
        for real in (torch.float32, torch.float64):
            scales = torch.rand(shape[axis], dtype=real) + 0.05  # float64 scales are not exact in float32.
            for zero_dtype in (torch.int64, torch.int32):
                zeros = torch.randint(0, 9, (shape[axis],), dtype=zero_dtype)
                check("quantized_decomposed::quantize_per_channel.out", values, scales, zeros, axis, *limits)
                check("quantized_decomposed::dequantize_per_channel.out", integers, scales, zeros, axis, *limits)
            check("quantized_decomposed::dequantize_per_channel.out", integers, scales, None, axis, *limits)
    image = (torch.randn(2, 3, 4, 5) * 40).contiguous(memory_format=torch.channels_last)
    scales, zeros = torch.rand(3) + 0.05, torch.tensor([0, 3, 5])
    for order in ((0, 1, 2, 3), (0, 2, 3, 1)):
        check("quantized_decomposed::quantize_per_channel.out", image, scales, zeros, 1, *limits, out_order=order)


def test_channels_without_a_scale_are_refused(check: Check) -> None:
    limits = (-128, 127, torch.int8)
    values, out = torch.ones(2, 3), [Output((2, 3), torch.int8)]
    scales, zeros = torch.ones(3), torch.zeros(3, dtype=torch.int64)
    quantize, dequantize = (
        "quantized_decomposed::quantize_per_channel.out",
        "quantized_decomposed::dequantize_per_channel.out",
    )
    for bad_scales, bad_zeros, axis in (
        (torch.ones(2), zeros, 1),
        (scales, zeros[:2], 1),
        (scales, zeros, 2),
        (scales, zeros, 0),
        (scales * 0, zeros, 1),
        (-scales, zeros, 1),
        (scales.half(), zeros, 1),
        (scales, zeros.to(torch.int8), 1),
        (scales, zeros + (1 << 40), 1),
    ):
        check.refuses(quantize, values, bad_scales, bad_zeros, axis, *limits, outputs=out)
        check.refuses(
            dequantize,
            values.to(torch.int8),
            bad_scales,
            bad_zeros,
            axis,
            *limits,
            outputs=[Output((2, 3), torch.float32)],
        )
    check.refuses(quantize, values, scales, zeros, 1, -129, 127, torch.int8, outputs=out)
    check.refuses(quantize, values.double(), scales, zeros, 1, *limits, outputs=out)
    one, zero = torch.ones(1), torch.zeros(1, dtype=torch.int64)
    for scale, zero_point in (
        (one.half(), zero),
        (one, zero.to(torch.int8)),
        (scales, zero),
        (one, zeros),
        (-one, zero),
    ):
        check.refuses(
            "quantized_decomposed::quantize_per_tensor.Tensor_out", values, scale, zero_point, *limits, outputs=out
        )
