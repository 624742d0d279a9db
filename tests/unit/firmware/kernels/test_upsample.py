# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import FLOATS, channels_last, tensor
from kernel_check import Check
from kernel_library import Output

NEAREST, BILINEAR = "aten::upsample_nearest2d.vec_out", "aten::upsample_bilinear2d.vec_out"
SIZES: tuple[tuple[Any, Any], ...] = (
    ([6, 8], None),
    ([5, 3], None),
    ([1, 1], None),
    (None, [2.0, 3.0]),
    (None, [1.5, 2.3]),
    (None, [0.7, 0.4]),
    (None, [1.0, 1.0]),
)
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-13, torch.float16: 3e-3}


@pytest.mark.parametrize("dtype", (*FLOATS, torch.uint8), ids=str)
def test_nearest(check: Check, dtype: torch.dtype) -> None:
    for size, scales in SIZES:
        check(NEAREST, tensor((2, 3, 3, 4), dtype), size, scales)
        check(NEAREST, tensor((1, 1, 7, 9), dtype), size, scales)
        check(NEAREST, channels_last((2, 3, 3, 4), dtype), size, scales, out_order=(0, 2, 3, 1))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_bilinear(check: Check, dtype: torch.dtype, align_corners: bool) -> None:
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    for size, scales in SIZES:
        check(BILINEAR, tensor((2, 3, 3, 4), dtype), size, align_corners, scales, **tolerance)
        check(BILINEAR, tensor((1, 1, 7, 9), dtype), size, align_corners, scales, **tolerance)
        image = channels_last((2, 3, 3, 4), dtype)
        check(BILINEAR, image, size, align_corners, scales, out_order=(0, 2, 3, 1), **tolerance)


def test_sizes_that_make_no_image_are_refused(check: Check) -> None:
    image, out = torch.ones(1, 1, 2, 2), [Output((1, 1, 4, 4), torch.float32)]
    for size, scales in (
        (None, None),
        ([4, 4], [2.0, 2.0]),
        ([4], None),
        ([0, 4], None),
        ([1 << 40, 4], None),
        (None, [2.0]),
        (None, [0.0, 2.0]),
        (None, [float("nan"), 2.0]),
        (None, [1e300, 2.0]),
    ):
        check.refuses(NEAREST, image, size, scales, outputs=out)
        check.refuses(BILINEAR, image, size, False, scales, outputs=out)
    check.refuses_outputs(NEAREST, image, [4, 5], None, outputs=out)
    check.refuses_outputs(BILINEAR, image, [4, 5], False, None, outputs=out)
    check.refuses(NEAREST, image[0], [4, 4], None, outputs=[Output((1, 4, 4), torch.float32)])
    check.refuses(BILINEAR, image.int(), [4, 4], False, None, outputs=[Output((1, 1, 4, 4), torch.int32)])
