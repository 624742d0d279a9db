# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from cases import FLOATS, channels_last, tensor, with_specials
from kernel_check import Check
from kernel_library import Output

OPERATORS = ("aten::_softmax.out", "aten::_log_softmax.out")
# Relative, and absolute for values near 0. Exponential and logarithm differ in the last place or
# two.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14, torch.float16: 2e-3}


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_softmax_along_every_dimension(check: Check, operator: str, dtype: torch.dtype) -> None:
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    for shape in ((7,), (1,), (2, 3, 4), (1000,), (), (0, 3), (3, 0)):
        for dim in range(-len(shape), max(len(shape), 1)):
            check(operator, tensor(shape, dtype) * 4, dim, False, **tolerance)
    image = channels_last((2, 3, 4, 5), dtype)
    for dim in range(4):
        check(operator, image, dim, False, **tolerance)
        check(operator, image, dim, False, out_order=(0, 1, 2, 3), **tolerance)


@pytest.mark.parametrize("operator", OPERATORS)
def test_softmax_of_large_values_does_not_overflow(check: Check, operator: str) -> None:
    check(operator, torch.tensor([[1e30, 1e30], [-3e38, 3e38], [100.0, -100.0]]), 1, False, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("operator", OPERATORS)
def test_softmax_of_nan_and_infinities(check: Check, operator: str) -> None:
    infinity, nan = float("inf"), float("nan")
    rows = [[1, -infinity, 2], [infinity, 0, 1], [-infinity, -infinity, -infinity], [nan, 1, 2], [2, 1, nan]]
    check(operator, torch.tensor(rows), 1, False, rtol=1e-6, atol=1e-6)
    check(operator, with_specials((5, 6)), 0, False, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("operator", OPERATORS)
def test_softmax_refuses_what_it_cannot_do(check: Check, operator: str) -> None:
    out = Output((2, 3), torch.float32)
    check.refuses(operator, torch.ones(2, 3), 2, False, outputs=[out])
    check.refuses(operator, torch.ones(2, 3), -3, False, outputs=[out])
    check.refuses(operator, torch.ones(2, 3).half(), 1, True, outputs=[out])
    check.refuses(operator, torch.ones(2, 3).half(), 1, False, outputs=[out])
    check.refuses(operator, torch.ones(2, 3).int(), 1, False, outputs=[Output((2, 3), torch.int32)])
    check.refuses_outputs(operator, torch.ones(2, 4), 1, False, outputs=[out])
