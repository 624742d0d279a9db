# SPDX-License-Identifier: Apache-2.0
"""Functions of the C library agree with PyTorch's own to a few units in the last place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from elementwise_values import FLOATS, spread, values
from kernel_check import Check
from kernel_library import Output

# Four units in the last place. Half precision is computed in single precision and rounded.
RTOL = {torch.float16: 1e-3, torch.float32: 5e-7, torch.float64: 1e-15}
# The tolerance of results that are a difference of numbers near 1 (erf's tail, a logarithm near 1)
# or near a pole.
ATOL = {torch.float16: 1e-3, torch.float32: 2e-7, torch.float64: 1e-15}

FUNCTIONS = (
    "aten::exp.out",
    "aten::expm1.out",
    "aten::log.out",
    "aten::log1p.out",
    "aten::log2.out",
    "aten::log10.out",
    "aten::rsqrt.out",
    "aten::sin.out",
    "aten::cos.out",
    "aten::tan.out",
    "aten::asin.out",
    "aten::acos.out",
    "aten::atan.out",
    "aten::sinh.out",
    "aten::cosh.out",
    "aten::tanh.out",
    "aten::asinh.out",
    "aten::acosh.out",
    "aten::atanh.out",
    "aten::erf.out",
    "aten::sigmoid.out",
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("operator", FUNCTIONS)
def test_functions_of_a_float(check: Check, operator: str) -> None:
    for dtype in FLOATS:
        near, far = values(dtype, 2, 3, 4, 5, scale=0.5), values(dtype, 2, 3, 4, 5)
        for tensor in (*spread(near), far, values(dtype, 0), values(dtype)):
            check(operator, tensor, rtol=2 * RTOL[dtype], atol=ATOL[dtype])


@pytest.mark.parametrize("dtype", (*FLOATS, torch.int8, torch.int64, torch.bool), ids=str)
def test_functions_with_one_rounding_are_exact(check: Check, dtype: torch.dtype) -> None:
    for tensor in (*spread(values(dtype, 2, 3, 4, 5)), values(dtype, 2, 3), values(dtype, 0)):
        check("aten::reciprocal.out", tensor)
        # NumPy's root is rounded as IEEE 754 says. PyTorch's is not: on x86-64 it is MKL's.
        number = tensor if dtype.is_floating_point else tensor.float()
        with np.errstate(invalid="ignore"):
            check("aten::sqrt.out", tensor, golden=torch.from_numpy(np.sqrt(number.numpy())))


@pytest.mark.parametrize("operator", FUNCTIONS)
def test_functions_of_integers_give_a_float(check: Check, operator: str) -> None:
    for dtype in (torch.int8, torch.int64, torch.bool):
        check(operator, values(dtype, 3, 9, edges=False), rtol=2 * RTOL[torch.float32], atol=ATOL[torch.float32])


def test_atan2(check: Check) -> None:
    for dtype in FLOATS:
        check("aten::atan2.out", values(dtype, 3, 20), values(dtype, 20), rtol=2 * RTOL[dtype])


@pytest.mark.parametrize("approximate", ("none", "tanh"))
def test_gelu(check: Check, approximate: str) -> None:
    for dtype in FLOATS:
        # For minus infinity PyTorch gives NaN or -0, depending on the element's position in its
        # vectors.
        inputs = values(dtype, 3, 40, edges=False)
        check("aten::gelu.out", inputs, approximate=approximate, rtol=4 * RTOL[dtype], atol=4 * ATOL[dtype])


def test_elu(check: Check) -> None:
    for dtype in FLOATS:
        for options in ((1.0, 1.0, 1.0), (1.5, 1.25, 0.5)):
            check("aten::elu.out", values(dtype, 3, 40), *options, rtol=4 * RTOL[dtype], atol=ATOL[dtype])


def test_logit(check: Check) -> None:
    for dtype in (torch.float32, torch.float64):
        inside = torch.rand(3, 40).to(dtype)
        check("aten::logit.out", inside, rtol=4 * RTOL[dtype], atol=8 * ATOL[dtype])
        check("aten::logit.out", values(dtype, 3, 40), 0.125, rtol=4 * RTOL[dtype], atol=8 * ATOL[dtype])


def test_unknown_approximations_and_integers_are_refused(check: Check) -> None:
    out = [Output((4,), torch.float32)]
    check.refuses("aten::gelu.out", values(torch.float32, 4), approximate="erf", outputs=out)
    check.refuses("aten::gelu.out", values(torch.int32, 4), outputs=[Output((4,), torch.int32)])
