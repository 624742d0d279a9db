# SPDX-License-Identifier: Apache-2.0
"""Arithmetic, comparison and logic equal PyTorch's exactly, for dtypes, broadcasts, dim orders and
edge values.
"""

from __future__ import annotations

import pytest
import torch
from elementwise_values import ANY, FLOATS, INTEGERS, NUMBERS, nonzero, spread, values
from kernel_check import Check
from kernel_library import Output

ARITHMETIC = ("aten::add.out", "aten::sub.out", "aten::mul.out", "aten::div.out")
ARITHMETIC_WITH_NUMBER = (
    "aten::add.Scalar_out",
    "aten::sub.Scalar_out",
    "aten::mul.Scalar_out",
    "aten::div.Scalar_out",
)
EXTREMES = ("aten::maximum.out", "aten::minimum.out")
QUOTIENTS = ("aten::floor_divide.out", "aten::remainder.Tensor_out", "aten::fmod.Tensor_out")
QUOTIENTS_WITH_NUMBER = ("aten::remainder.Scalar_out", "aten::fmod.Scalar_out")
COMPARISONS = (
    ("aten::eq.Tensor_out", "aten::eq.Scalar_out"),
    ("aten::ne.Tensor_out", "aten::ne.Scalar_out"),
    ("aten::lt.Tensor_out", "aten::lt.Scalar_out"),
    ("aten::le.Tensor_out", "aten::le.Scalar_out"),
    ("aten::gt.Tensor_out", "aten::gt.Scalar_out"),
    ("aten::ge.Tensor_out", "aten::ge.Scalar_out"),
)
LOGIC = ("aten::logical_and.out", "aten::logical_or.out", "aten::logical_xor.out")
BITS = (
    ("aten::bitwise_and.Tensor_out", "aten::bitwise_and.Scalar_out"),
    ("aten::bitwise_or.Tensor_out", "aten::bitwise_or.Scalar_out"),
    ("aten::bitwise_xor.Tensor_out", "aten::bitwise_xor.Scalar_out"),
)
SHIFTS = (
    ("aten::bitwise_left_shift.Tensor_out", "aten::bitwise_left_shift.Tensor_Scalar_out"),
    ("aten::bitwise_right_shift.Tensor_out", "aten::bitwise_right_shift.Tensor_Scalar_out"),
)
EXACT_FUNCTIONS = (
    "aten::abs.out",
    "aten::neg.out",
    "aten::sign.out",
    "aten::floor.out",
    "aten::ceil.out",
    "aten::round.out",
    "aten::trunc.out",
    "aten::relu.out",
)
QUESTIONS = ("aten::isnan.out", "aten::isinf.out", "aten::logical_not.out")

SHAPES = (((37,), (37,)), ((3, 1, 5), (4, 1)), ((2, 3), ()), ((), ()), ((0, 3), (1, 3)), ((1,), (40,)))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(4)


@pytest.mark.parametrize("operator", (*ARITHMETIC, *EXTREMES))
def test_two_tensors_of_any_dtypes_broadcast_and_promote(check: Check, operator: str) -> None:
    no_bools = operator == "aten::sub.out"
    for a in NUMBERS if no_bools else ANY:
        for b in NUMBERS if no_bools else ANY:
            left, right = SHAPES[(ANY.index(a) + 2 * ANY.index(b)) % len(SHAPES)]
            check(operator, values(a, *left), values(b, *right))


@pytest.mark.parametrize("operator", (*ARITHMETIC, *EXTREMES, "aten::lt.Tensor_out"))
def test_operands_lie_in_any_order_of_dimensions(check: Check, operator: str) -> None:
    for dtype in (torch.float32, torch.int8):
        for a in spread(values(dtype, 2, 3, 4, 5)):
            for b in spread(values(dtype, 2, 3, 1, 5)):
                for order in ((0, 1, 2, 3), (0, 2, 3, 1)):
                    check(operator, a, b, out_order=order)


@pytest.mark.parametrize("operator", ARITHMETIC_WITH_NUMBER)
def test_a_tensor_and_a_number(check: Check, operator: str) -> None:
    for dtype in NUMBERS:
        check(operator, values(dtype, 2, 17), 3)
        check(operator, values(dtype, 2, 17), 0.75)


def test_the_second_operand_is_scaled(check: Check) -> None:
    for dtype in (torch.float32, torch.float64, torch.int16, torch.int64):
        a, b = values(dtype, 5, 7), values(dtype, 7)
        for alpha in (2, -3):
            check("aten::add.out", a, b, alpha=alpha)
            check("aten::sub.out", a, b, alpha=alpha)
            # If the processor can, PyTorch's rsub multiplies and subtracts with one rounding.
            check("aten::rsub.Scalar_out", a, 5, alpha=alpha, golden=5 - a * alpha)


@pytest.mark.parametrize("operator", QUOTIENTS)
def test_quotients_round_as_pytorchs(check: Check, operator: str) -> None:
    for dtype in INTEGERS:
        check(operator, values(dtype, 6, 40), nonzero(values(dtype, 40)))
    for dtype in (torch.float32, torch.float64):
        check(operator, values(dtype, 6, 40), values(dtype, 40))


@pytest.mark.parametrize("mode", (None, "trunc", "floor"))
def test_division_in_each_mode(check: Check, mode: str | None) -> None:
    for dtype in (*INTEGERS, torch.float32, torch.float64):
        a, b = values(dtype, 6, 40), nonzero(values(dtype, 40))
        check("aten::div.out_mode", a, b, rounding_mode=mode)
        check("aten::div.Scalar_mode_out", a, 3, rounding_mode=mode)


@pytest.mark.parametrize("operator", QUOTIENTS_WITH_NUMBER)
def test_remainders_by_a_number(check: Check, operator: str) -> None:
    for dtype in (*INTEGERS, torch.float32, torch.float64):
        check(operator, values(dtype, 50), 7)
        check(operator, values(dtype, 50), 2.5)


def test_powers(check: Check) -> None:
    for dtype in INTEGERS:
        check("aten::pow.Tensor_Tensor_out", values(dtype, 30), torch.arange(0, 30).to(dtype))
        check("aten::pow.Tensor_Scalar_out", values(dtype, 30), 5)
        check("aten::pow.Scalar_out", 3, torch.arange(0, 30).to(dtype))
    for dtype, rtol in ((torch.float16, 2e-3), (torch.float32, 1e-6), (torch.float64, 1e-14)):
        check("aten::pow.Tensor_Tensor_out", values(dtype, 40), values(dtype, 40), rtol=rtol)
        for exponent in (0.5, 2, 3, -1, -2, 1.7, -0.5, 0):
            # For minus infinity PyTorch computes the square root in single precision, and the power
            # in half.
            base = values(dtype, 40, edges=dtype != torch.float16)
            check("aten::pow.Tensor_Scalar_out", base, exponent, rtol=rtol)
        check("aten::pow.Scalar_out", 1.7, values(dtype, 40), rtol=rtol)


@pytest.mark.parametrize(("of_tensors", "of_number"), COMPARISONS)
def test_comparisons(check: Check, of_tensors: str, of_number: str) -> None:
    for a in ANY:
        for b in (torch.float32, torch.int64, a):
            left, right = SHAPES[(ANY.index(a) + ANY.index(b)) % len(SHAPES)]
            check(of_tensors, values(a, *left), values(b, *right))
        check(of_number, values(a, 2, 20), 1)
        check(of_number, values(a, 2, 20), 0.5)


@pytest.mark.parametrize("operator", LOGIC)
def test_logic_takes_anything_but_zero_as_true(check: Check, operator: str) -> None:
    for a in ANY:
        check(operator, values(a, 3, 20), values(torch.bool, 20))
        check(operator, values(a, 3, 20), values(torch.float32, 20, scale=0.0))


@pytest.mark.parametrize("operator", QUESTIONS)
def test_questions_about_one_tensor(check: Check, operator: str) -> None:
    for dtype in ANY:
        check(operator, values(dtype, 3, 20))


@pytest.mark.parametrize(("of_tensors", "of_number"), BITS)
def test_bits(check: Check, of_tensors: str, of_number: str) -> None:
    for dtype in (*INTEGERS, torch.bool):
        check(of_tensors, values(dtype, 3, 20), values(dtype, 20))
        check(of_number, values(dtype, 3, 20), True if dtype == torch.bool else 6)
        check("aten::bitwise_not.out", values(dtype, 3, 20))


@pytest.mark.parametrize(("of_tensors", "of_number"), SHIFTS)
def test_shifts(check: Check, of_tensors: str, of_number: str) -> None:
    for dtype in INTEGERS:
        check(of_tensors, values(dtype, 3, 20), torch.randint(0, 8, (20,)).to(dtype))
        check(of_number, values(dtype, 3, 20), 3)


@pytest.mark.parametrize("operator", [of_tensors for of_tensors, _ in SHIFTS])
def test_shifts_by_as_many_bits_as_there_are_or_by_a_negative_number(check: Check, operator: str) -> None:
    for dtype in INTEGERS:
        bits = torch.iinfo(dtype).bits
        counts = [0, bits - 2, bits - 1, bits, bits + 1, *([] if dtype == torch.uint8 else [-1, -64])]
        for value in (torch.iinfo(dtype).min, torch.iinfo(dtype).max, 1):
            check(operator, torch.full((len(counts),), value, dtype=dtype), torch.tensor(counts, dtype=dtype))


@pytest.mark.parametrize("operator", EXACT_FUNCTIONS)
def test_exact_functions_of_one_tensor(check: Check, operator: str) -> None:
    for dtype in NUMBERS:
        check(operator, values(dtype, 0, 3))
        check(operator, values(dtype))
        for tensor in spread(values(dtype, 2, 3, 4, 5)):
            check(operator, tensor)


def test_where_chooses_and_promotes(check: Check) -> None:
    condition = values(torch.bool, 3, 1, 5)
    for a in ANY:
        for b in (torch.float32, torch.int64, a):
            check("aten::where.self_out", condition, values(a, 4, 1), values(b, 5))
    check("aten::where.self_out", values(torch.bool), values(torch.float32, 3), values(torch.float32))


def test_masked_fill(check: Check) -> None:
    for dtype in ANY:
        value = True if dtype == torch.bool else 7
        check("aten::masked_fill.Scalar_out", values(dtype, 3, 20), values(torch.bool, 20), value)
        check("aten::masked_fill.Scalar_out", values(dtype, 3, 20), values(torch.bool), value)


def test_clamp(check: Check) -> None:
    for dtype in NUMBERS:
        for low, high in ((-1, 3), (None, 2), (0, None), (3, 1)):
            if dtype != torch.uint8 or low is None or low >= 0:
                check("aten::clamp.out", values(dtype, 3, 20), low, high)
        low_tensor, high_tensor = values(dtype, 20), values(dtype, 3, 1)
        check("aten::clamp.Tensor_out", values(dtype, 3, 20), low_tensor, high_tensor)
        check("aten::clamp.Tensor_out", values(dtype, 3, 20), None, high_tensor)
        check("aten::clamp.Tensor_out", values(dtype, 3, 20), low_tensor, None)
    check("aten::clamp.out", values(torch.int32, 20), 0.5, 2.5)


def test_hardtanh_and_leaky_relu(check: Check) -> None:
    for dtype in FLOATS:
        check("aten::hardtanh.out", values(dtype, 3, 20), -1.5, 2.0)
        check("aten::leaky_relu.out", values(dtype, 3, 20), 0.25)
    check("aten::hardtanh.out", values(torch.int8, 3, 20), -1, 6)


def test_shapes_that_do_not_go_together_are_refused(check: Check) -> None:
    out = [Output((2, 3), torch.float32)]
    a, b = values(torch.float32, 2, 3), values(torch.float32, 2)
    for operator in (*ARITHMETIC, *EXTREMES, *QUOTIENTS, "aten::eq.Tensor_out", "aten::logical_and.out"):
        check.refuses(operator, a, b, outputs=out)
    check.refuses_outputs("aten::add.out", a, a, outputs=[Output((3, 2), torch.float32)])
    check.refuses("aten::where.self_out", values(torch.bool, 4), a, a, outputs=out)


def test_results_that_the_output_cannot_hold_are_refused(check: Check) -> None:
    a = values(torch.float32, 4)
    check.refuses("aten::add.out", a, a, outputs=[Output((4,), torch.int32)])
    check.refuses("aten::exp.out", a, outputs=[Output((4,), torch.int8)])
    check.refuses("aten::bitwise_and.Tensor_out", a, a, outputs=[Output((4,), torch.float32)])
    check.refuses("aten::neg.out", values(torch.bool, 4), outputs=[Output((4,), torch.bool)])


def test_integers_are_not_divided_by_zero(check: Check) -> None:
    a, zeros = values(torch.int32, 4), torch.tensor([1, 2, 0, 3], dtype=torch.int32)
    out = [Output((4,), torch.int32)]
    for operator in QUOTIENTS:
        check.refuses(operator, a, zeros, outputs=out)
    check.refuses("aten::remainder.Scalar_out", a, 0, outputs=out)
    check.refuses("aten::div.out_mode", a, zeros, "floor", outputs=out)
    check.refuses("aten::div.out_mode", values(torch.float32, 4), a, "round", outputs=[Output((4,), torch.float32)])
    check.refuses("aten::pow.Tensor_Scalar_out", a, -2, outputs=out)
