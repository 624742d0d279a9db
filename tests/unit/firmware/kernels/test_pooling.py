# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import FLOATS, NUMBERS, tensor, with_specials
from kernel_check import Check
from kernel_library import Output

MAX = "aten::max_pool2d_with_indices.out"
AVERAGE = "aten::avg_pool2d.out"
ADAPTIVE = "aten::_adaptive_avg_pool2d.out"
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14, torch.float16: 2e-3}

# Image, window, stride, padding, dilation, ceil_mode
WINDOWS: tuple[tuple[Any, ...], ...] = (
    ((2, 3, 6, 8), [2, 2], [2, 2], [0, 0], [1, 1], False),
    ((3, 7, 5), [3, 2], [], [1, 1], [1, 1], False),
    ((1, 2, 7, 7), [3, 3], [2, 2], [1, 1], [1, 1], True),
    ((1, 2, 8, 7), [3, 3], [2, 3], [1, 0], [1, 2], True),
    ((2, 1, 5, 6), [2, 3], [3, 1], [1, 1], [2, 1], False),
    ((1, 1, 4, 4), [3], [2], [1], [1], True),
    ((1, 1, 5, 5), [2, 2], [3, 3], [1, 1], [1, 1], True),
    ((2, 2, 1, 1), [1, 1], [1, 1], [0, 0], [1, 1], False),
    ((0, 2, 4, 4), [2, 2], [2, 2], [0, 0], [1, 1], False),
    ((1, 2, 5, 5), [2, 2], [0x7FFF, 0x7FFF], [0, 0], [1, 1], False),
)


def _memories(image: torch.Tensor) -> list[tuple[torch.Tensor, tuple[int, ...]]]:
    """Return the image and the dim order of the outputs."""
    if image.dim() == 3:
        return [(image, (0, 1, 2))]
    last = image.contiguous(memory_format=torch.channels_last)
    return [(image, (0, 1, 2, 3)), (last, (0, 2, 3, 1)), (last, (0, 1, 2, 3))]


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_largest_of_a_window_and_where_it_is(check: Check, dtype: torch.dtype) -> None:
    for shape, *parameters in WINDOWS:
        values = tensor(shape, dtype)
        for image, order in _memories(values):
            check(MAX, image, *parameters, out_order=order)


def test_largest_of_nan_and_infinities(check: Check) -> None:
    check(MAX, with_specials((2, 3, 9, 9)), [3, 3], [2, 2], [1, 1], [1, 1], True)
    check(MAX, torch.full((1, 1, 4, 4), float("-inf")), [2, 2], [2, 2], [1, 1], [1, 1], False)


def test_a_dilated_window_around_a_small_image_finds_nothing(check: Check) -> None:
    check(MAX, torch.zeros(1, 1, 4, 4), [2, 2], [1, 1], [1, 1], [5, 5], False)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_average_of_a_window(check: Check, dtype: torch.dtype) -> None:
    tolerance: dict[str, Any] = {"float64": True, "rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    for shape, window, stride, padding, _, ceil_mode in WINDOWS:
        for image, order in _memories(tensor(shape, dtype)):
            for count_padding in (True, False):
                for divisor in (None, 3):
                    check(
                        AVERAGE,
                        image,
                        window,
                        stride,
                        padding,
                        ceil_mode,
                        count_padding,
                        divisor,
                        out_order=order,
                        **tolerance,
                    )


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_average_to_a_given_size(check: Check, dtype: torch.dtype) -> None:
    tolerance: dict[str, Any] = {"float64": True, "rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    for shape in ((2, 3, 7, 5), (3, 8, 8), (1, 1, 3, 3)):
        for size in ([1, 1], [2, 3], [7, 5], [8, 4], [5, 9]):
            for image, order in _memories(tensor(shape, dtype)):
                check(ADAPTIVE, image, size, out_order=order, **tolerance)


def test_windows_that_make_no_sense_are_refused(check: Check) -> None:
    image, one, none = torch.ones(1, 1, 4, 4), [1, 1], [0, 0]
    out, indices = Output((1, 1, 2, 2), torch.float32), Output((1, 1, 2, 2), torch.int64)
    for window, stride, padding, dilation in (
        ([0, 2], [2, 2], none, one),
        ([2, 2], [0, 2], none, one),
        ([2, 2], [2, 2], [2, 0], one),
        ([2, 2], [2, 2], [-1, 0], one),
        ([2, 2], [2, 2], none, none),
        ([2, 2, 2], [2, 2], none, one),
        ([1 << 40, 2], [2, 2], none, one),
        ([2, 2], [1 << 40, 2], none, one),
        ([5, 5], [2, 2], none, one),
    ):
        check.refuses(MAX, image, window, stride, padding, dilation, False, outputs=[out, indices])
        if dilation == one:
            check.refuses(AVERAGE, image, window, stride, padding, outputs=[out])
    check.refuses_outputs(MAX, image, [2, 2], one, none, one, False, outputs=[out, indices])
    check.refuses_outputs(AVERAGE, image, [2, 2], one, none, outputs=[out])
    check.refuses(MAX, image, [2, 2], [], none, one, False, outputs=[out, Output((1, 1, 2, 2), torch.int32)])
    check.refuses(MAX, image[0, 0], [2, 2], [], none, one, False, outputs=[out, indices])
    check.refuses(MAX, torch.ones(1, 1, 0, 4), [2, 2], [], one, one, False, outputs=[out, indices])
    check.refuses(AVERAGE, image, [2, 2], [], none, False, True, 0, outputs=[out])
    check.refuses(AVERAGE, image.int(), [2, 2], [], none, outputs=[Output((1, 1, 2, 2), torch.int32)])
    check.refuses(ADAPTIVE, image, [2], outputs=[out])
    check.refuses(ADAPTIVE, image, [0, 2], outputs=[out])
    check.refuses_outputs(ADAPTIVE, image, [3, 2], outputs=[out])
    check.refuses(ADAPTIVE, torch.ones(1, 1, 0, 4), [2, 2], outputs=[out])
    check.refuses(ADAPTIVE, image.int(), [2, 2], outputs=[Output((1, 1, 2, 2), torch.int32)])
