# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import FLOATS, INTEGERS, NUMBERS, tensor
from kernel_check import Check
from kernel_library import Output

# The permitted difference between sums of k products, each of which is rounded.
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-14, torch.float16: 2e-3}
SIZES = ((2, 3, 4), (1, 1, 1), (5, 17, 3), (3, 1, 9), (1, 8, 6), (4, 6, 1), (0, 3, 2), (2, 0, 3), (2, 3, 0))


def _tolerance(dtype: torch.dtype) -> dict[str, Any]:
    if not dtype.is_floating_point:
        return {}
    return {"float64": True, "rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_matrix_products(check: Check, dtype: torch.dtype) -> None:
    for rows, inner, columns in SIZES:
        a, b = tensor((rows, inner), dtype, 1), tensor((inner, columns), dtype, 2)
        check("aten::mm.out", a, b, **_tolerance(dtype))
        check(
            "aten::mm.out", tensor((inner, rows), dtype).t(), tensor((columns, inner), dtype).t(), **_tolerance(dtype)
        )
        check("aten::bmm.out", tensor((3, rows, inner), dtype), tensor((3, inner, columns), dtype), **_tolerance(dtype))
        by_column = tensor((3, columns, inner), dtype).transpose(1, 2)
        check("aten::bmm.out", tensor((3, rows, inner), dtype), by_column, **_tolerance(dtype))


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_matrix_product_added_to_something(check: Check, dtype: torch.dtype) -> None:
    for rows, inner, columns in SIZES:
        a, b = tensor((rows, inner), dtype, 1), tensor((inner, columns), dtype, 2)
        for shape in ((rows, columns), (columns,), (1,), (), (rows, 1), (1, columns)):
            check("aten::addmm.out", tensor(shape, dtype, 3), a, b, **_tolerance(dtype))
        check("aten::addmm.out", tensor((columns,), dtype), a, b, beta=2, alpha=3, **_tolerance(dtype))
        check(
            "aten::addmm.out",
            tensor((columns,), dtype),
            a,
            b.t().contiguous().t(),
            beta=2,
            alpha=-1,
            **_tolerance(dtype),
        )


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_factors_of_a_product_may_be_fractions(check: Check, dtype: torch.dtype) -> None:
    a, b, addend = tensor((3, 5), dtype, 1), tensor((5, 4), dtype, 2), tensor((3, 4), dtype, 3)
    check("aten::addmm.out", addend, a, b, beta=0.5, alpha=-1.25, **_tolerance(dtype))


def test_a_beta_of_0_ignores_even_nan(check: Check) -> None:
    a, b = tensor((2, 3), seed=1), tensor((3, 4), seed=2)
    check("aten::addmm.out", torch.full((4,), float("nan")), a, b, beta=0, rtol=2e-6, atol=2e-6)


def test_nan_and_infinity_spread_through_a_product(check: Check) -> None:
    a = torch.tensor([[1.0, float("nan")], [float("inf"), 0.0], [float("inf"), float("-inf")]])
    for b in (torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]]).t()):
        check("aten::mm.out", a, b)


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_linear(check: Check, dtype: torch.dtype) -> None:
    for leading in ((), (4,), (2, 3), (2, 1, 3)):
        values, weight = tensor((*leading, 9), dtype, 1), tensor((5, 9), dtype, 2)
        golden = values.double() @ weight.double().t()
        if not dtype.is_floating_point:
            golden = (values.long() @ weight.long().t()).to(dtype)
        tolerance = {k: v for k, v in _tolerance(dtype).items() if k != "float64"}
        check("aten::linear.out", values, weight, golden=golden.to(dtype), **tolerance)
        bias = tensor((5,), dtype, 3)
        biased = (golden + bias.to(golden.dtype)).to(dtype)
        check("aten::linear.out", values, weight, bias, golden=biased, **tolerance)


def test_integer_products_wrap(check: Check) -> None:
    for dtype in INTEGERS:
        most = torch.full((2, 3), torch.iinfo(dtype).max, dtype=dtype)
        check("aten::mm.out", most, most.t())


def test_products_that_do_not_fit_are_refused(check: Check) -> None:
    out = [Output((2, 4), torch.float32)]
    a, b = torch.ones(2, 3), torch.ones(3, 4)
    check.refuses("aten::mm.out", a, torch.ones(4, 3), outputs=out)
    check.refuses("aten::mm.out", a, torch.ones(3), outputs=out)
    check.refuses("aten::mm.out", a, b.double(), outputs=out)
    check.refuses_outputs("aten::mm.out", a, b, outputs=[Output((4, 2), torch.float32)])
    check.refuses("aten::bmm.out", a, b, outputs=out)
    check.refuses("aten::bmm.out", torch.ones(2, 2, 3), torch.ones(1, 3, 4), outputs=[Output((2, 2, 4), torch.float32)])
    check.refuses("aten::addmm.out", torch.ones(3), a, b, outputs=out)
    check.refuses("aten::addmm.out", torch.ones(1, 2, 4), a, b, outputs=out)
    check.refuses("aten::addmm.out", torch.ones(5, 2, 4), torch.ones(1, 3), b, outputs=[Output((1, 4), torch.float32)])
    check.refuses("aten::addmm.out", torch.ones(2, 4), torch.ones(1, 3), b, outputs=[Output((1, 4), torch.float32)])
    check.refuses("aten::linear.out", a, torch.ones(4, 2), outputs=out)
    check.refuses("aten::linear.out", a, torch.ones(4, 3), torch.ones(3), outputs=out)
    check.refuses("aten::linear.out", torch.ones(()), torch.ones(4, 1), outputs=[Output((4,), torch.float32)])
