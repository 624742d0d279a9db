# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from cases import ANY, channels_last, tensor
from kernel_check import Check
from kernel_library import Output

SHUFFLE, UNSHUFFLE = "aten::pixel_shuffle.out", "aten::pixel_unshuffle.out"


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_channels_become_pixels_and_back(check: Check, dtype: torch.dtype) -> None:
    check(SHUFFLE, tensor((2, 8, 3, 4), dtype), 2)
    check(SHUFFLE, tensor((9, 2, 2), dtype), 3)
    check(SHUFFLE, tensor((2, 2, 3, 4, 1, 2), dtype), 2)
    check(SHUFFLE, tensor((1, 3, 2, 2), dtype), 1)
    check(UNSHUFFLE, tensor((2, 2, 6, 4), dtype), 2)
    check(UNSHUFFLE, tensor((1, 9, 6), dtype), 3)
    check(SHUFFLE, channels_last((1, 8, 3, 5), dtype), 2)
    check(UNSHUFFLE, channels_last((1, 3, 4, 6), dtype), 2, out_order=(0, 2, 3, 1))


def test_what_cannot_be_divided_is_refused(check: Check) -> None:
    image, out = torch.ones(1, 4, 2, 2), [Output((1, 1, 4, 4), torch.float32)]
    for factor in (0, -2, 3, 1 << 31, 1 << 40):
        check.refuses(SHUFFLE, image, factor, outputs=out)
    check.refuses(SHUFFLE, torch.ones(4, 4), 2, outputs=[Output((1, 1), torch.float32)])
    check.refuses(SHUFFLE, image.double(), 2, outputs=out)
    for factor in (0, 3, 1 << 40):
        check.refuses(UNSHUFFLE, image, factor, outputs=[Output((1, 16, 1, 1), torch.float32)])
    check.refuses(UNSHUFFLE, image, 2, outputs=out)
