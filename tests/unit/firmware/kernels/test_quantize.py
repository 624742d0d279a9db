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
