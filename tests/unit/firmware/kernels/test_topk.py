# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from cases import NUMBERS
from kernel_check import Check
from kernel_library import Output

TOPK = "aten::topk.values"


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_largest_and_smallest_in_order(check: Check, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    # All values differ, because PyTorch promises no order among equal ones.
    values = torch.randperm(60, generator=generator).reshape(3, 4, 5).to(dtype)
    for largest in (True, False):
        for dim in (-1, 0, 1):
            for k in (0, 1, 3):
                check(TOPK, values, k, dim, largest)
        check(TOPK, values.reshape(60), 60, 0, largest)
        check(TOPK, values[0, 0, 0], 1, 0, largest)
    image = values.reshape(1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    check(TOPK, image, 2, 1)


def test_of_equal_ones_the_first_comes_first(check: Check) -> None:
    golden = (torch.tensor([3.0, 3.0, 3.0, 1.0]), torch.tensor([1, 2, 4, 0]))
    check(TOPK, torch.tensor([1.0, 3.0, 3.0, 1.0, 3.0]), 4, golden=golden)


def test_nan_is_the_largest(check: Check) -> None:
    nan, infinity = float("nan"), float("inf")
    values = torch.tensor([1.0, nan, infinity, -infinity, 2.0])
    check(TOPK, values, 5)
    check(TOPK, values, 5, 0, False)


def test_more_than_there_are_is_refused(check: Check) -> None:
    out = [Output((4,), torch.float32), Output((4,), torch.int64)]
    check.refuses(TOPK, torch.ones(3), 4, outputs=out)
    check.refuses(TOPK, torch.ones(5), -1, outputs=out)
    check.refuses(TOPK, torch.ones(5), 4, 1, outputs=out)
    check.refuses(TOPK, torch.ones(5), 4, outputs=[out[0], Output((4,), torch.int32)])
    check.refuses(TOPK, torch.ones(5).bool(), 4, outputs=[Output((4,), torch.bool), out[1]])
