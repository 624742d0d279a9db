# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from cases import tensor, with_specials
from kernel_check import Check
from kernel_library import Output

CDIST = "aten::_cdist_forward.out"
POWERS = (0.0, 0.5, 1.0, 2.0, 3.0, math.inf)
DIRECT = 2  # compute_mode: PyTorch uses no matrix product.
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-13}
SHAPES = (
    ((3, 4), (5, 4)),
    ((1, 1), (1, 1)),
    ((40, 7), (30, 7)),
    ((2, 3, 4), (2, 5, 4)),
    ((2, 1, 3, 4), (3, 5, 4)),
    ((5, 4), (2, 2, 5, 4)),
    ((0, 4), (5, 4)),
    ((3, 0), (5, 0)),
    ((0, 3, 4), (1, 5, 4)),
)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("p", POWERS)
def test_distances_of_rows(check: Check, dtype: torch.dtype, p: float) -> None:
    tolerance = TOLERANCE[dtype]
    for first, second in SHAPES:
        a, b = tensor(first, dtype, 1), tensor(second, dtype, 2)
        check(CDIST, a, b, p, DIRECT, float64=True, rtol=tolerance, atol=tolerance)
    check(CDIST, tensor((4, 3), dtype).t(), tensor((4, 5), dtype).t(), p, None, rtol=tolerance, atol=tolerance)
    same = tensor((3, 4), dtype)
    check(CDIST, same, same, p, DIRECT, golden=torch.cdist(same, same, p, "donot_use_mm_for_euclid_dist"), rtol=3e-6)


@pytest.mark.parametrize("p", POWERS)
def test_nan_and_infinity_have_the_effect_that_they_have_in_pytorch(check: Check, p: float) -> None:
    a, b = with_specials((6, 5), seed=1), with_specials((4, 5), seed=2)
    check(CDIST, a, b, p, DIRECT, rtol=3e-6, atol=3e-6)


def test_the_last_two_dimensions_may_be_stored_in_any_order(check: Check) -> None:
    a = tensor((2, 3, 4, 5), seed=1).contiguous(memory_format=torch.channels_last)
    b = tensor((2, 3, 6, 5), seed=2)
    check(CDIST, a, b, 2.0, DIRECT, out_order=(0, 2, 3, 1), rtol=3e-6, atol=3e-6)


def test_rows_without_distances_are_refused(check: Check) -> None:
    a, b, out = torch.ones(3, 4), torch.ones(5, 4), [Output((3, 5), torch.float32)]
    check.refuses(CDIST, a, torch.ones(5, 3), 2.0, None, outputs=out)
    check.refuses(CDIST, a, torch.ones(4), 2.0, None, outputs=out)
    check.refuses(CDIST, torch.ones(4), b, 2.0, None, outputs=out)
    check.refuses(CDIST, a, b, -1.0, None, outputs=out)
    check.refuses(CDIST, a, b, math.nan, None, outputs=out)
    check.refuses(CDIST, a, b, 2.0, 3, outputs=out)
    check.refuses(CDIST, a, b, 2.0, -1, outputs=out)
    check.refuses(CDIST, a, b.double(), 2.0, None, outputs=out)
    check.refuses(CDIST, a.double(), b.double(), 2.0, None, outputs=out)
    check.refuses(CDIST, a.half(), b.half(), 2.0, None, outputs=[Output((3, 5), torch.float16)])
    check.refuses_outputs(CDIST, a, b, 2.0, None, outputs=[Output((5, 3), torch.float32)])
    batches = [Output((2, 3, 5), torch.float32)]
    check.refuses(CDIST, torch.ones(2, 3, 4), torch.ones(3, 5, 4), 2.0, None, outputs=batches)
