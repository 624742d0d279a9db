# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import tensor
from kernel_check import Check
from kernel_library import Output

CONVOLUTION = "aten::convolution.out"
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-13}


def _memory(values: torch.Tensor, channels_last: bool) -> torch.Tensor:
    return values.contiguous(memory_format=torch.channels_last) if channels_last and values.dim() == 4 else values


def _check(
    check: Check,
    image: tuple[int, ...],
    filters: int,
    taps: tuple[int, ...],
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    transposed: bool = False,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dtype: torch.dtype = torch.float32,
) -> None:
    dims = len(image) - 2
    parameters = [[value] * dims if isinstance(value, int) else list(value) for value in (stride, padding, dilation)]
    extra = [output_padding] * dims if isinstance(output_padding, int) else list(output_padding)
    channels = image[1]
    shape = (channels, filters // groups, *taps) if transposed else (filters, channels // groups, *taps)
    values, weight, bias = tensor(image, dtype, 1), tensor(shape, dtype, 2), tensor((filters,), dtype, 3)
    tolerance: dict[str, Any] = {"float64": True, "rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    for values_last, weight_last, out_last in ((0, 0, 0), (1, 0, 1), (1, 1, 1), (0, 1, 1), (1, 1, 0)):
        if (values_last or weight_last or out_last) and dims != 2:
            continue
        for some_bias in (None, bias):
            check(
                CONVOLUTION,
                _memory(values, bool(values_last)),
                _memory(weight, bool(weight_last)),
                some_bias,
                *parameters,
                transposed,
                extra,
                groups,
                out_order=(0, 2, 3, 1) if out_last else tuple(range(dims + 2)),
                **tolerance,
            )


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("transposed", [False, True], ids=["convolution", "transposed"])
def test_two_dimensions(check: Check, transposed: bool, dtype: torch.dtype) -> None:
    options: dict[str, Any] = {"transposed": transposed, "dtype": dtype}
    _check(check, (2, 3, 7, 6), 4, (3, 3), **options)
    _check(check, (1, 5, 6, 7), 2, (1, 1), **options)
    _check(check, (1, 8, 5, 9), 6, (3, 2), stride=2, padding=1, **options)
    _check(check, (2, 4, 9, 8), 4, (2, 3), stride=(1, 3), padding=(0, 1), dilation=(2, 1), **options)
    _check(check, (1, 6, 8, 8), 4, (3, 3), groups=2, padding=1, **options)
    _check(check, (1, 12, 8, 8), 4, (3, 3), groups=2, padding=(2, 0), stride=2, **options)


def test_depthwise(check: Check) -> None:
    _check(check, (2, 6, 7, 5), 6, (3, 3), groups=6, padding=1)
    _check(check, (1, 4, 9, 9), 8, (3, 3), groups=4, stride=2, padding=1)
    _check(check, (1, 4, 9, 9), 4, (5, 5), groups=4, dilation=2, padding=4)


def test_padding_wider_than_the_image_and_taps_that_never_meet_it(check: Check) -> None:
    _check(check, (1, 2, 2, 2), 3, (3, 3), padding=3)
    _check(check, (1, 5, 2, 3), 2, (2, 2), padding=4, stride=3, dilation=3)
    _check(check, (1, 2, 1, 1), 2, (5, 5), padding=2)


def test_output_padding(check: Check) -> None:
    _check(check, (1, 3, 4, 5), 2, (3, 3), transposed=True, stride=2, padding=1, output_padding=1)
    _check(check, (1, 3, 4, 5), 2, (3, 2), transposed=True, stride=(3, 2), output_padding=(2, 0))
    _check(check, (2, 4, 3, 3), 6, (2, 2), transposed=True, groups=2, dilation=2, output_padding=1, stride=2)


def test_one_and_three_dimensions(check: Check) -> None:
    _check(check, (2, 3, 11), 4, (3,), stride=2, padding=1)
    _check(check, (1, 4, 9), 4, (5,), groups=4, padding=4, dilation=2)
    _check(check, (2, 3, 5), 2, (4,), transposed=True, stride=3, padding=1, output_padding=1)
    _check(check, (1, 2, 4, 5, 6), 3, (2, 3, 2), padding=(1, 0, 1), stride=(1, 2, 1), dilation=(2, 1, 1))
    _check(check, (1, 4, 3, 3, 3), 2, (2, 2, 2), transposed=True, stride=2, groups=2)


def test_a_parameter_may_stand_for_all_dimensions(check: Check) -> None:
    image, weight = tensor((1, 2, 6, 6)), tensor((3, 2, 3, 3))
    golden = torch.nn.functional.conv2d(image, weight, stride=2, padding=1)
    check(CONVOLUTION, image, weight, None, [2], [1], [1], False, [0], 1, golden=golden, rtol=3e-6, atol=3e-6)


def test_random_convolutions(check: Check) -> None:
    generator = torch.Generator().manual_seed(3)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    done = 0
    while done < 25:
        groups, transposed = draw(1, 3), draw(0, 2) == 0
        taps, dilation, stride = (draw(1, 4), draw(1, 4)), (draw(1, 2), draw(1, 3)), (draw(1, 3), draw(1, 2))
        padding = (draw(0, 2), draw(0, 3))
        image = (draw(1, 2), groups * draw(1, 6), draw(1, 9), draw(1, 9))
        if transposed:
            out = [
                (i - 1) * s - 2 * p + d * (k - 1) + 1
                for i, s, p, d, k in zip(image[2:], stride, padding, dilation, taps, strict=True)
            ]
        else:
            out = [i + 2 * p - d * (k - 1) for i, p, d, k in zip(image[2:], padding, dilation, taps, strict=True)]
        if min(out) < 1:
            continue
        _check(
            check,
            image,
            groups * draw(1, 3),
            taps,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            transposed=transposed,
        )
        done += 1


def test_convolutions_that_make_no_sense_are_refused(check: Check) -> None:
    image, weight, out = torch.ones(1, 4, 5, 5), torch.ones(2, 4, 3, 3), [Output((1, 2, 3, 3), torch.float32)]
    one, none = [1, 1], [0, 0]
    big = [1 << 40, 1]
    check.refuses(CONVOLUTION, image, weight, None, none, none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, none, none, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, [-1, 0], one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, big, none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, big, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, none, big, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, [1, 1, 1], none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, none, one, False, none, 0, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, none, one, False, none, 2, outputs=out)
    check.refuses(CONVOLUTION, image, weight, None, one, none, one, False, none, 1 << 40, outputs=out)
    check.refuses(CONVOLUTION, image, weight, torch.ones(3), one, none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight, torch.ones(2).double(), one, none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight.double(), None, one, none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image[:, :, :2, :2], weight, None, one, none, one, False, none, 1, outputs=out)
    check.refuses(CONVOLUTION, image, weight[:, :, 0], None, one, none, one, False, none, 1, outputs=out)
    check.refuses_outputs(
        CONVOLUTION, image, weight, None, one, none, one, False, none, 1, outputs=[Output((1, 2, 3, 4), torch.float32)]
    )
    check.refuses(
        CONVOLUTION,
        image.half(),
        weight.half(),
        None,
        one,
        none,
        one,
        False,
        none,
        1,
        outputs=[Output((1, 2, 3, 3), torch.float16)],
    )
    check.refuses(
        CONVOLUTION,
        image,
        torch.ones(4, 2, 3, 3),
        None,
        one,
        none,
        one,
        True,
        one,
        1,
        outputs=[Output((1, 2, 8, 8), torch.float32)],
    )
