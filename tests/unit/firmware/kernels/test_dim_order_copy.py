# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch
from kernel_check import Check


def test_a_copy_changes_dtype_and_order_of_dimensions(check: Check) -> None:
    torch.manual_seed(1)
    image = torch.randn(2, 3, 4, 5) * 10
    for dtype in (torch.float32, torch.int32, torch.int8, torch.bool):
        check(
            "dim_order_ops::_to_dim_order_copy.out",
            image,
            golden=image.to(dtype),
            dim_order=[0, 2, 3, 1],
            out_order=(0, 2, 3, 1),
        )
        check(
            "dim_order_ops::_to_dim_order_copy.out",
            image.contiguous(memory_format=torch.channels_last),
            golden=image.to(dtype),
        )
