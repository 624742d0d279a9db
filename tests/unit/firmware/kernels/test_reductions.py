# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import ANY, FLOATS, NUMBERS, channels_last, tensor, with_specials
from kernel_check import Check
from kernel_library import Output

# Shape, and the dimensions to reduce.
DIMS = (
    ((7,), [0]),
    ((2, 3, 4), [0]),
    ((2, 3, 4), [-1]),
    ((2, 3, 4), [1]),
    ((2, 3, 4), [0, 2]),
    ((2, 3, 4), [-1, 0, 1]),
    ((2, 1, 5, 1, 3), [1, -2]),
    ((2, 3, 4, 5), [2, 3]),
    ((), [0]),
    ((), [-1]),
)
# Half precision keeps 11 bits.
ROUNDING = {torch.float32: 3e-7, torch.float64: 1e-15, torch.float16: 1e-3}


def _rounding(dtype: torch.dtype) -> dict[str, Any]:
    return {"rtol": ROUNDING.get(dtype, 0.0), "atol": ROUNDING.get(dtype, 0.0)}


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_sum_over_any_dimensions(check: Check, dtype: torch.dtype) -> None:
    for shape, dims in DIMS:
        for keepdim in (False, True):
            check("aten::sum.IntList_out", tensor(shape, dtype), dims, keepdim, float64=True, **_rounding(dtype))
    for dims in (None, []):
        check("aten::sum.IntList_out", tensor((2, 3, 4), dtype), dims, float64=True, **_rounding(dtype))
        check("aten::sum.IntList_out", tensor((2, 3, 4), dtype), dims, True, float64=True, **_rounding(dtype))


def test_sum_converts_to_the_dtype_it_is_asked_for_before_it_adds(check: Check) -> None:
    values = tensor((3, 5)) * 3
    for dtype in (torch.int32, torch.int64, torch.float64):
        check("aten::sum.IntList_out", values, [1], False, dtype=dtype, rtol=1e-7, atol=1e-7)
    check("aten::sum.IntList_out", tensor((3, 5), torch.int8), [0], False, dtype=torch.float32)
    check("aten::sum.IntList_out", torch.full((4,), 100, dtype=torch.int8), None, False, dtype=torch.int8)
    check("aten::sum.IntList_out", torch.full((2,), 2**62, dtype=torch.int64), None, False)


def test_sum_of_a_long_line_is_as_good_as_double_precision(check: Check) -> None:
    check("aten::sum.IntList_out", tensor((40000,)) + 0.5, [0], False, float64=True, rtol=1e-7)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_mean_over_any_dimensions(check: Check, dtype: torch.dtype) -> None:
    for shape, dims in DIMS:
        check("aten::mean.out", tensor(shape, dtype), dims, float64=True, **_rounding(dtype))
        check("aten::mean.out", tensor(shape, dtype), dims, True, float64=True, **_rounding(dtype))
    check("aten::mean.out", tensor((2, 3), dtype), None, float64=True, **_rounding(dtype))
    check("aten::mean.dtype_out", tensor((2, 3), dtype), float64=True, **_rounding(dtype))
    check("aten::mean.out", tensor((2, 3), torch.int8), [1], False, dtype=dtype, **_rounding(dtype))
    check("aten::mean.out", torch.zeros(2, 0, dtype=dtype), [1])


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_product_over_one_dimension_or_all(check: Check, dtype: torch.dtype) -> None:
    for shape, dims in DIMS:
        values = tensor(shape, dtype)
        check("aten::prod.int_out", values, dims[0], float64=True, **_rounding(dtype))
        check("aten::prod.int_out", values, dims[0], True, float64=True, **_rounding(dtype))
        check("aten::prod.out", values, float64=True, **_rounding(dtype))
    check("aten::prod.int_out", torch.zeros(0, 3, dtype=dtype), 0)


EXTREMES = ("aten::amax.out", "aten::amin.out")
EXTREMES_WITH_INDEX = ("aten::max.dim_max", "aten::min.dim_min")
EXTREMES_OF_ALL = ("aten::max.unary_out", "aten::min.unary_out")
INDICES = ("aten::argmax.out", "aten::argmin.out")


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_largest_and_smallest(check: Check, dtype: torch.dtype) -> None:
    for shape, dims in DIMS:
        values = tensor(shape, dtype)
        for operator in EXTREMES:
            check(operator, values, dims)
            check(operator, values, dims, True)
            check(operator, values)
        for operator in EXTREMES_OF_ALL:
            check(operator, values)
        for operator in EXTREMES_WITH_INDEX:
            distinct = torch.arange(values.numel()).flip(0).reshape(shape).to(dtype) if dtype != torch.bool else values
            if dtype != torch.bool:
                check(operator, distinct, dims[0])
                check(operator, distinct, dims[0], True)


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_index_of_the_largest_and_smallest(check: Check, dtype: torch.dtype) -> None:
    for shape, dims in DIMS:
        for operator in INDICES:
            check(operator, tensor(shape, dtype), dims[0])
            check(operator, tensor(shape, dtype), dims[0], True)
            check(operator, tensor(shape, dtype), None, True)
            check(operator, tensor(shape, dtype))


@pytest.mark.parametrize("operator", INDICES)
def test_of_equal_values_the_first_is_found(check: Check, operator: str) -> None:
    check(operator, torch.ones(5, 4), 0, golden=torch.zeros(4, dtype=torch.int64))
    check(operator, torch.tensor([1, 3, 3, 1, 3, 1]), golden=torch.tensor(1 if "max" in operator else 0))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_nan_is_the_largest_and_the_smallest(check: Check, dtype: torch.dtype) -> None:
    nan = float("nan")
    values = torch.tensor([[1, nan, 5, nan], [nan, 7, 8, 9], [1, 2, 3, nan], [-1, -2, -3, -4]], dtype=dtype)
    infinite = torch.tensor([[float("inf"), 1], [float("-inf"), float("-inf")]], dtype=dtype)
    for given in (values, infinite, with_specials((6, 9), dtype)):
        for dim in (0, 1):
            for operator in EXTREMES:
                check(operator, given, [dim])
            for operator in (*EXTREMES_WITH_INDEX, *INDICES):
                check(operator, given, dim)
        for operator in EXTREMES_OF_ALL:
            check(operator, given)


def test_extremes_of_nothing_are_refused(check: Check) -> None:
    nothing = torch.zeros(0, 3)
    values, indices = Output((3,), torch.float32), Output((3,), torch.int64)
    for operator in EXTREMES:
        check.refuses(operator, nothing, [0], outputs=[values])
    for operator in EXTREMES_WITH_INDEX:
        check.refuses(operator, nothing, 0, outputs=[values, indices])
    for operator in EXTREMES_OF_ALL:
        check.refuses(operator, nothing, outputs=[Output((), torch.float32)])
    for operator in INDICES:
        check.refuses(operator, nothing, 0, outputs=[indices])
    check("aten::amax.out", nothing, [1])
    check("aten::argmax.out", nothing, 1)


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_any(check: Check, dtype: torch.dtype) -> None:
    values = tensor((3, 4, 5), dtype)
    values[0] = 0
    values[1, 2] = 0
    values[2, :, 3] = 0
    for given in (values, values.new_zeros(2, 3), values.new_zeros(2, 0), values.new_zeros(())):
        check("aten::any.all_out", given)
        check("aten::any.dims_out", given, None)
        check("aten::any.out", given, -1)
        check("aten::any.out", given, 0, True)
    check("aten::any.dims_out", values, [0, 2])
    check("aten::any.dims_out", values, [0, -1], True)
    check("aten::any.dims_out", values, [])


def test_any_takes_nan_for_true(check: Check) -> None:
    check("aten::any.out", torch.tensor([[0.0, float("nan")], [0.0, -0.0]]), 1)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_variance(check: Check, dtype: torch.dtype) -> None:
    tolerance = {"float64": True, "rtol": 2 * ROUNDING[dtype], "atol": 1e-7}
    for shape, dims in DIMS[:-2]:
        values = tensor(shape, dtype) + 10
        for keepdim in (False, True):
            check("aten::var.out", values, dims, True, keepdim, **tolerance)
            check("aten::var.correction_out", values, dims, correction=2, keepdim=keepdim, **tolerance)
            check("aten::var_mean.correction_out", values, dims, correction=0, keepdim=keepdim, **tolerance)
    check("aten::var.out", values, None, False, **tolerance)
    check("aten::var.correction_out", values, None, **tolerance)
    check("aten::var.correction_out", values, [0], correction=0.5, **tolerance)


@pytest.mark.filterwarnings("ignore:var()")
def test_variance_of_too_few_values(check: Check) -> None:
    check("aten::var.correction_out", torch.ones(1, 3), [0])
    check("aten::var.correction_out", torch.tensor([[1.0, 2.0]]), [1], correction=2)
    check("aten::var.correction_out", torch.tensor([[1.0, 2.0]]), [1], correction=3)
    check("aten::var.correction_out", torch.ones(2, 0), [1])


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_cumulative_sum(check: Check, dtype: torch.dtype) -> None:
    for shape in ((5,), (2, 3, 4), (), (0, 2)):
        for dim in range(-len(shape), max(len(shape), 1)):
            check("aten::cumsum.out", tensor(shape, dtype), dim, float64=True, **_rounding(dtype))
    check("aten::cumsum.out", tensor((3, 4), dtype), 1, dtype=torch.float32, rtol=1e-6, atol=1e-6)


def test_reductions_take_channels_last(check: Check) -> None:
    image = channels_last((2, 3, 4, 5))
    for dims in ([0], [1], [2, 3], [1, 3]):
        check("aten::sum.IntList_out", image, dims, float64=True, rtol=1e-6, atol=1e-6)
        check("aten::mean.out", image, dims, True, float64=True, rtol=1e-6, atol=1e-6)
        check("aten::mean.out", image, dims, True, float64=True, out_order=(0, 2, 3, 1), rtol=1e-6, atol=1e-6)
        check("aten::amax.out", image, dims)
        check("aten::amax.out", image, dims, True, out_order=(0, 2, 3, 1))
        check("aten::var.correction_out", image, dims, float64=True, rtol=1e-6, atol=1e-6)
    for dim in range(4):
        check("aten::argmax.out", image, dim)
        check("aten::cumsum.out", image, dim, float64=True, rtol=1e-6, atol=1e-6)
        check("aten::cumsum.out", image, dim, float64=True, out_order=(0, 1, 2, 3), rtol=1e-6, atol=1e-6)
    check("aten::argmax.out", image)


def test_reductions_of_random_shapes_over_random_dimensions(check: Check) -> None:
    generator = torch.Generator().manual_seed(5)
    for seed in range(40):
        rank = int(torch.randint(1, 6, (), generator=generator))
        shape = torch.randint(1, 6, (rank,), generator=generator).tolist()
        count = int(torch.randint(1, rank + 1, (), generator=generator))
        dims = (torch.randperm(rank, generator=generator)[:count] - (seed % 2) * rank).tolist()
        values = tensor(shape, seed=seed).permute(*torch.randperm(rank, generator=generator).tolist())
        check("aten::sum.IntList_out", values, dims, bool(seed % 3), float64=True, rtol=1e-6, atol=1e-6)
        check("aten::amin.out", values, dims, bool(seed % 3))
        check("aten::argmin.out", values, dims[0], bool(seed % 3))


def test_bad_dimensions_dtypes_and_outputs_are_refused(check: Check) -> None:
    values, out = torch.ones(2, 3), Output((2,), torch.float32)
    for dims in ([2], [-3], [0, 0], [0, -2]):
        check.refuses("aten::sum.IntList_out", values, dims, outputs=[out])
        check.refuses("aten::amax.out", values, dims, outputs=[out])
    check.refuses_outputs("aten::sum.IntList_out", values, [1], outputs=[Output((3,), torch.float32)])
    check.refuses("aten::sum.IntList_out", values, [1], dtype=torch.float64, outputs=[out])
    check.refuses("aten::mean.out", values, [1], outputs=[Output((2,), torch.int64)])
    check.refuses("aten::mean.dtype_out", values, outputs=[Output((), torch.int64)])
    check.refuses("aten::prod.int_out", values, 2, outputs=[out])
    check.refuses_outputs("aten::prod.out", values, outputs=[Output((2,), torch.float32)])
    check.refuses("aten::amin.out", values, [1], outputs=[Output((2,), torch.float64)])
    check.refuses("aten::argmin.out", values, 1, outputs=[Output((2,), torch.int32)])
    check.refuses("aten::argmax.out", values, 3, outputs=[Output((2,), torch.int64)])
    check.refuses("aten::argmax.out", values.bool(), 1, outputs=[Output((2,), torch.int64)])
    check.refuses("aten::max.dim_max", values, 1, outputs=[out, Output((2,), torch.int32)])
    check.refuses("aten::min.dim_min", values, 1, outputs=[Output((2,), torch.int8), Output((2,), torch.int64)])
    for operator in EXTREMES_OF_ALL:
        check.refuses(operator, values, outputs=[Output((), torch.int8)])
    check.refuses("aten::any.out", values, 1, outputs=[Output((2,), torch.int32)])
    check.refuses_outputs("aten::any.all_out", values, outputs=[Output((1,), torch.bool)])
    check.refuses("aten::any.dims_out", values, [5], outputs=[Output((2,), torch.bool)])
    check.refuses("aten::cumsum.out", values, 2, outputs=[Output((2, 3), torch.float32)])
    check.refuses_outputs("aten::cumsum.out", values, 1, outputs=[Output((3, 2), torch.float32)])
    check.refuses("aten::var.out", values, [1], outputs=[Output((2,), torch.float64)])
    check.refuses("aten::var.correction_out", values.int(), [1], outputs=[Output((2,), torch.int32)])
    check.refuses("aten::var_mean.correction_out", values, [1], outputs=[out, Output((2,), torch.float64)])
