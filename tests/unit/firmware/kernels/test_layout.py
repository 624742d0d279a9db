# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements equal PyTorch's in every bit, in any dim order."""

from __future__ import annotations

import pytest
import torch
from elementwise_values import ANY, spread, values
from kernel_check import Check
from kernel_library import Output

# One dtype of each element size. The kernels know nothing else about a dtype.
SIZES = (torch.int8, torch.float16, torch.float32, torch.int64)
IDENTITIES = ("aten::clone.out", "aten::alias_copy.out", "aten::detach_copy.out", "aten::lift_fresh_copy.out")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(6)


@pytest.mark.parametrize("operator", IDENTITIES)
def test_copies_that_change_nothing(check: Check, operator: str) -> None:
    for dtype in SIZES:
        for tensor in (values(dtype), values(dtype, 0, 3), *spread(values(dtype, 2, 3, 4, 5))):
            check(operator, tensor)
            check(operator, tensor, out_order=tuple(range(tensor.dim())))


def test_view(check: Check) -> None:
    for dtype in SIZES:
        tensor = values(dtype, 2, 3, 4)
        for size in ([24], [4, -1], [2, 1, 3, 4, 1], [6, 4], [-1]):
            check("aten::view_copy.out", tensor, size)
        check("aten::view_copy.out", values(dtype), [1, 1])
        check("aten::view_copy.out", values(dtype, 0, 3), [0, 5])
    channels_last = values(torch.float32, 2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    check("aten::view_copy.out", channels_last, [2, 60], golden=channels_last.reshape(2, 60))
    check("aten::view_copy.out", channels_last, [3, 2, 4, 5], golden=channels_last.reshape(3, 2, 4, 5))


def test_squeeze_and_unsqueeze(check: Check) -> None:
    for tensor in (values(torch.int8, 1, 3, 1, 4), *spread(values(torch.float32, 2, 1, 3, 1))):
        for dim in range(-4, 4):
            check("aten::squeeze_copy.dim_out", tensor, dim)
        for dims in ([1, -1], [0, 2], []):
            check("aten::squeeze_copy.dims_out", tensor, dims)
        for dim in range(-5, 5):
            check("aten::unsqueeze_copy.out", tensor, dim)
    check("aten::squeeze_copy.dim_out", values(torch.float32), 0)
    check("aten::unsqueeze_copy.out", values(torch.float32), -1)


def test_conversions_between_all_dtypes(check: Check) -> None:
    for a in ANY:
        for b in ANY:
            # PyTorch leaves the conversion of a float beyond an integer's range undefined.
            tensor = values(a, 3, 20, edges=not a.is_floating_point)
            if a.is_floating_point and b == torch.uint8:
                tensor = tensor.abs()
            check("aten::_to_copy.out", tensor, golden=tensor.to(b))
            check("dim_order_ops::_to_dim_order_copy.out", tensor, golden=tensor.to(b))
            check("aten::copy.out", values(b, 3, 20), tensor, golden=tensor.to(b))


def test_orders_of_dimensions(check: Check) -> None:
    for dtype in SIZES:
        for tensor in spread(values(dtype, 2, 3, 4, 5)):
            for order in ((0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)):
                for operator in ("dim_order_ops::_clone_dim_order.out", "dim_order_ops::_to_dim_order_copy.out"):
                    check(operator, tensor, golden=tensor, dim_order=list(order), out_order=order)
    check("aten::copy.out", values(torch.int16, 3, 4), values(torch.int16, 4))


def test_copy_in_place(check: Check) -> None:
    # This operator returns its first argument, so there is no output to compare. The test above
    # compares copy.out.
    check("aten::copy_", values(torch.float32, 3), values(torch.float32, 3), golden=[])


def test_permute_and_transpose(check: Check) -> None:
    for dtype in SIZES:
        for tensor in spread(values(dtype, 2, 3, 4, 5)):
            for dims in ([3, 1, 0, 2], [0, -1, 1, 2], [0, 1, 2, 3]):
                check("aten::permute_copy.out", tensor, dims, out_order=(0, 1, 2, 3))
            check("aten::transpose_copy.int_out", tensor, -1, 1, out_order=(0, 1, 2, 3))
            check("aten::transpose_copy.int_out", tensor, 0, 2, out_order=(0, 2, 3, 1))
        check("aten::t_copy.out", values(dtype, 3, 5))
        check("aten::t_copy.out", values(dtype, 3))
        check("aten::permute_copy.out", values(dtype), [])
    check("aten::permute_copy.out", values(torch.int8, *([2, 1] * 5)), [9, 3, 5, 1, 7, 0, 8, 2, 6, 4])


def test_slices(check: Check) -> None:
    for dtype in SIZES:
        for tensor in spread(values(dtype, 4, 3, 6, 5)):
            for dim, start, end, step in (
                (0, 1, 3, 1),
                (-1, None, None, 2),
                (2, -4, -1, 2),
                (2, 5, 2, 1),
                (3, -100, 100, 3),
                (1, 0, 9223372036854775807, 1),
            ):
                check("aten::slice_copy.Tensor_out", tensor, dim, start, end, step)
            for dim, index in ((0, 3), (-1, -5), (2, 0)):
                check("aten::select_copy.int_out", tensor, dim, index)
            for dim, start, length in ((0, 1, 2), (2, -3, 2), (3, 5, 0)):
                check("aten::narrow_copy.out", tensor, dim, start, length)


def test_splits(check: Check) -> None:
    for tensor in spread(values(torch.float32, 4, 3, 6, 5)):
        for size, dim in ((2, 0), (4, 2), (7, -1)):
            check("aten::split_copy.Tensor_out", tensor, size, dim)
        check("aten::split_with_sizes_copy.out", tensor, [1, 0, 5], 2)
        for dim in (0, -1):
            check("aten::unbind_copy.int_out", tensor, dim)


def test_scatters_of_a_part(check: Check) -> None:
    for tensor in spread(values(torch.int16, 4, 3, 6, 5)):
        source = values(torch.int16, 4, 3, 2, 5)
        check("aten::slice_scatter.out", tensor, source, 2, 1, 5, 2)
        check("aten::select_scatter.out", tensor, source[:, :, 0], 2, -1)


def test_diagonals_windows_and_strides(check: Check) -> None:
    for tensor in spread(values(torch.float32, 4, 3, 6, 5)):
        for offset, first, second in ((0, 0, 1), (2, 2, -1), (-1, 1, 3), (-9, 0, 1), (9, 0, 1)):
            check("aten::diagonal_copy.out", tensor, offset, first, second)
        check("aten::unfold_copy.out", tensor, 2, 3, 2)
        check("aten::unfold_copy.out", tensor, -1, 5, 1)
    flat = values(torch.float32, 30)
    check("aten::as_strided_copy.out", flat, [4, 3], [7, 2], 3)
    check("aten::as_strided_copy.out", flat, [5, 2], [0, 1])

    for size in ([0, 9], [9, 0], [2, 0, 2**20]):
        check("aten::as_strided_copy.out", flat, size, [2**20] * len(size), 30)


@pytest.mark.parametrize("empty", range(4))
def test_a_walk_over_nothing_whose_reach_has_more_than_64_bits_is_refused(check: Check, empty: int) -> None:
    most = 2**31 - 1
    size = [most, most, most]
    size.insert(empty, 0)
    output = [Output((2, 3), torch.float32)]
    check.refuses("aten::as_strided_copy.out", values(torch.float32, 30), size, [most] * 4, 30, outputs=output)


def test_concatenation(check: Check) -> None:
    for dtype in SIZES:
        parts = [values(dtype, 2, n, 3, 4) for n in (1, 4, 0, 2)]
        check("aten::cat.out", parts, 1)
        check("aten::cat.out", [part.contiguous(memory_format=torch.channels_last) for part in parts], -3)
        check("aten::cat.out", [values(dtype, 0), values(dtype, 2, 3), values(dtype, 1, 3)], 0)
        check("aten::stack.out", [values(dtype, 2, 3) for _ in range(3)], -1)
        check("aten::stack.out", [values(dtype) for _ in range(3)], 0)


def test_repetition(check: Check) -> None:
    for dtype in SIZES:
        check("aten::expand_copy.out", values(dtype, 3, 1), [2, -1, 4])
        check("aten::expand_copy.out", values(dtype), [2, 2])
        check("aten::expand_copy.out", values(dtype, 1), [0])
        check("aten::repeat.out", values(dtype, 2, 3), [2, 1, 3])
        check("aten::repeat.out", values(dtype, 2, 3), [0, 2])
        check("aten::repeat.out", values(dtype), [3])
        for tensor in spread(values(dtype, 2, 3, 4, 5)):
            check("aten::repeat.out", tensor, [1, 2, 1, 2])
            check("aten::flip.out", tensor, [0, -1])
            check("aten::flip.out", tensor, [])
            check("aten::roll.out", tensor, [1, -7], [1, 3])
        check("aten::roll.out", values(dtype, 2, 5), [3])


def test_padding(check: Check) -> None:
    for dtype in SIZES:
        check("aten::constant_pad_nd.out", values(dtype, 2, 3, 4, 5), [1, 2, 0, 3], 7)
        check("aten::constant_pad_nd.out", values(dtype, 3, 6), [-1, 2, 1, -2], 0)
        check("aten::constant_pad_nd.out", values(dtype, 3), [], 1)
        check("aten::replication_pad1d.out", values(dtype, 2, 5), [3, 1])
    check("aten::constant_pad_nd.out", values(torch.float32, 3), [1, 1], float("-inf"))
    for dtype in (torch.float32, torch.float64):
        check("aten::reflection_pad1d.out", values(dtype, 2, 5), [4, 1])
        check("aten::reflection_pad2d.out", values(dtype, 2, 3, 4, 5), [1, 2, 3, 0])
        check("aten::reflection_pad3d.out", values(dtype, 2, 3, 4, 5), [1, 2, 3, 0, 2, 1])
        check("aten::replication_pad2d.out", values(dtype, 3, 4, 5), [6, 2, 3, 0])
        check("aten::replication_pad3d.out", values(dtype, 1, 2, 3, 4, 5), [1, 2, 3, 0, 2, 1])


def test_filling(check: Check) -> None:
    for dtype in ANY:
        value = True if dtype == torch.bool else 3
        golden = torch.full((2, 3), value, dtype=dtype)
        check("aten::full.out", [2, 3], value, golden=golden)
        check("aten::full_like.out", values(dtype, 2, 3), value, golden=golden)
        check("aten::fill.Scalar_out", values(dtype, 2, 3), value)
        check("aten::fill.Tensor_out", values(dtype, 2, 3), torch.tensor(value, dtype=dtype))
        check("aten::zeros.out", [2, 3], golden=torch.zeros(2, 3, dtype=dtype))
        check("aten::ones.out", [2, 3], golden=torch.ones(2, 3, dtype=dtype))
        check("aten::scalar_tensor.out", value, golden=torch.tensor(value, dtype=dtype))
    check("aten::full.out", [2], 0.3, golden=torch.full((2,), 0.3))


def test_ranges(check: Check) -> None:
    for dtype in (torch.int32, torch.int64, torch.float32, torch.float64):
        check("aten::arange.out", 7, golden=torch.arange(7, dtype=dtype))
        check("aten::arange.start_out", -3, 8, 2, golden=torch.arange(-3, 8, 2, dtype=dtype))
        check("aten::arange.start_out", 8, -3, -3, golden=torch.arange(8, -3, -3, dtype=dtype))
        check("aten::arange.start_out", 2, 2, 1, golden=torch.arange(2, 2, dtype=dtype))
    check("aten::arange.start_out", 0.5, 3.25, 0.25, golden=torch.arange(0.5, 3.25, 0.25))


def test_empty_has_the_sizes_asked_for(check: Check) -> None:
    # The elements are the memory's old content: the check's poison.
    poison = torch.full((2, 3), 0xA5, dtype=torch.uint8)
    check("aten::empty.out", [2, 3], golden=poison)
    check("dim_order_ops::_empty_dim_order.out", [2, 3], golden=poison)


@pytest.mark.parametrize("index_dtype", (torch.int32, torch.int64))
def test_indexing(check: Check, index_dtype: torch.dtype) -> None:
    for dtype in SIZES:
        for tensor in spread(values(dtype, 4, 3, 6, 5)):
            index = torch.tensor([2, 0, 2], dtype=index_dtype)
            check("aten::index_select.out", tensor, 2, index)
            check("aten::index_select.out", tensor, -3, index[0])
            places = torch.randint(0, 3, (2, 4, 6, 3)).to(index_dtype)
            check("aten::gather.out", tensor, 1, places, golden=torch.gather(tensor, 1, places.long()))
            source = values(dtype, 2, 4, 6, 3)
            spots = torch.stack([torch.randperm(3)[:2] for _ in range(6)]).reshape(1, 2, 3, 2).mT.reshape(1, 2, 2, 3)
            spots = spots.sort(dim=1).values.to(index_dtype)
            golden = tensor.scatter(1, torch.tensor([[[[1]]]]), source[:1, :1, :1, :1])
            one = torch.tensor([[[[1]]]], dtype=index_dtype)
            check("aten::scatter.src_out", tensor, 1, one, source, golden=golden)
            check("aten::scatter.value_out", tensor, 1, spots, 7, golden=tensor.scatter(1, spots.long(), 7))


def test_indexing_by_several_tensors(check: Check) -> None:
    first = torch.tensor([[0, -1], [2, 1]])
    second = torch.tensor([1, -3])
    for dtype in (torch.int8, torch.float32):
        for tensor in spread(values(dtype, 4, 3, 6, 5)):
            for indices in (
                [first],
                [None, second],
                [None, second, first],
                [first, None, second],
                [None, None, second, first],
                [second, second, second, second],
            ):
                check("aten::index.Tensor_out", tensor, indices)
    tensor = values(torch.float32, 4, 3, 6, 5)
    check("aten::index_put.out", tensor, [None, second], values(torch.float32, 2, 1, 5), False)
    check("aten::index_put.out", tensor, [torch.tensor([0, 3]), None, second], values(torch.float32, 2, 3, 5), False)


def test_pixels_and_triangles(check: Check) -> None:
    for tensor in spread(values(torch.float32, 2, 12, 4, 6)):
        check("aten::pixel_shuffle.out", tensor, 2)
        check("aten::pixel_unshuffle.out", tensor, 2)
        for diagonal in (0, 2, -1, 9, -9):
            check("aten::tril.out", tensor, diagonal)


def test_what_does_not_fit_is_refused(check: Check) -> None:
    tensor = values(torch.float32, 2, 3)
    out = [Output((2, 3), torch.float32)]
    index = torch.tensor([0, 3])
    for operator, *arguments in (
        ("aten::view_copy.out", [4, 2]),
        ("aten::view_copy.out", [-1, -1]),
        ("aten::view_copy.out", [-1, 0]),
        ("aten::squeeze_copy.dim_out", 2),
        ("aten::squeeze_copy.dims_out", [0, -2]),
        ("aten::unsqueeze_copy.out", 3),
        ("aten::permute_copy.out", [0, 0]),
        ("aten::permute_copy.out", [0]),
        ("aten::transpose_copy.int_out", 0, 2),
        ("aten::slice_copy.Tensor_out", 0, 0, 2, 0),
        ("aten::slice_copy.Tensor_out", 2, 0, 2, 1),
        ("aten::select_copy.int_out", 1, 3),
        ("aten::select_copy.int_out", 1, -4),
        ("aten::narrow_copy.out", 1, 2, 2),
        ("aten::slice_scatter.out", tensor, 1, 0, 2, 1),
        ("aten::select_scatter.out", tensor, 1, 0),
        ("aten::diagonal_copy.out", 0, 1, 1),
        ("aten::unfold_copy.out", 1, 4, 1),
        ("aten::as_strided_copy.out", [2, 3], [3, 2], 0),
        ("aten::as_strided_copy.out", [2, 3], [-3, 1], 3),
        ("aten::expand_copy.out", [3, 3]),
        ("aten::repeat.out", [2]),
        ("aten::flip.out", [0, 0]),
        ("aten::roll.out", [1], [0, 1]),
        ("aten::constant_pad_nd.out", [1]),
        ("aten::constant_pad_nd.out", [-4, 0]),
        ("aten::reflection_pad1d.out", [3, 0]),
        ("aten::replication_pad1d.out", [-1, 1]),
        ("aten::index_select.out", 1, index),
        ("aten::index_select.out", 1, torch.tensor([-1])),
        ("aten::gather.out", 1, index.reshape(1, 2)),
        ("aten::gather.out", 0, torch.zeros(2, 4, dtype=torch.int64)),
        ("aten::scatter.value_out", 1, index.reshape(1, 2), 1.0),
        ("aten::index.Tensor_out", [None, index]),
        ("aten::index.Tensor_out", [None, None, index]),
        ("aten::index_put.out", [None, index], tensor, False),
        ("aten::pixel_shuffle.out", 2),
        ("aten::copy.out", values(torch.float32, 3, 2)),
        ("aten::_to_copy.out", True),
    ):
        check.refuses(operator, tensor, *arguments, outputs=out)
    check.refuses_outputs("aten::t_copy.out", tensor, outputs=out)
    other = [Output((2, 3), torch.int32)]
    for operator in IDENTITIES:
        check.refuses(operator, tensor, outputs=other)
    check.refuses("aten::cat.out", [tensor, values(torch.float32, 2, 2)], 0, outputs=out)
    check.refuses("aten::cat.out", [tensor], 2, outputs=out)
    check.refuses("aten::stack.out", [tensor, values(torch.float32, 2, 2)], 0, outputs=out)
    check.refuses("aten::split_copy.Tensor_out", tensor, 1, 0, outputs=out)
    check.refuses("aten::split_with_sizes_copy.out", tensor, [1], 0, outputs=[Output((1, 3), torch.float32)])
    check.refuses("aten::unbind_copy.int_out", tensor, 0, outputs=[Output((3,), torch.float32)])
    check.refuses("aten::unbind_copy.int_out", values(torch.float32), 0, outputs=[Output((), torch.float32)])
    check.refuses("aten::unbind_copy.int_out", values(torch.float32), 0, outputs=[])
    check.refuses("aten::full.out", [2, 3], 0.5, outputs=other)
    check.refuses("aten::full.out", [2, -3], 1, outputs=other)
    check.refuses("aten::arange.start_out", 0, 6, 0, outputs=[Output((6,), torch.int32)])
    check.refuses("aten::arange.out", 2.5, outputs=[Output((3,), torch.int32)])
