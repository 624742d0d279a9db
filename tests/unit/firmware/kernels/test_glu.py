# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from cases import FLOATS, channels_last, tensor, with_specials
from kernel_check import Check
from kernel_library import Output

GLU = "aten::glu.out"


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_gated_halves(check: Check, dtype: torch.dtype) -> None:
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-14, torch.float16: 2e-3}[dtype]
    for shape, dim in (((6,), 0), ((2, 4, 3), 1), ((4, 3), -2), ((2, 0), 1)):
        check(GLU, tensor(shape, dtype) * 5, dim, rtol=tolerance, atol=tolerance)
    check(GLU, channels_last((1, 4, 3, 2), dtype), 1, rtol=tolerance, atol=tolerance)
    check(GLU, with_specials((4, 6), dtype), rtol=tolerance, atol=tolerance)


def test_halves_that_are_none_are_refused(check: Check) -> None:
    check.refuses(GLU, torch.ones(3), 0, outputs=[Output((1,), torch.float32)])
    check.refuses(GLU, torch.ones(4), 1, outputs=[Output((2,), torch.float32)])
    check.refuses(GLU, torch.ones(()), 0, outputs=[Output((), torch.float32)])
    check.refuses(GLU, torch.ones(4), 0, outputs=[Output((2,), torch.float64)])
    check.refuses(GLU, torch.ones(4).int(), 0, outputs=[Output((2,), torch.int32)])
