# SPDX-License-Identifier: Apache-2.0
"""Tensors for testing kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

FLOATS = (torch.float32, torch.float64, torch.float16)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
NUMBERS = (*FLOATS, *INTEGERS)
ANY = (*NUMBERS, torch.bool)


def tensor(shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Return values around 0. The values are so small that sums and products of a few of them stay
    in the dtype's range."""
    generator = torch.Generator().manual_seed(seed * 1000 + sum(shape) + len(shape))
    if dtype.is_floating_point:
        return torch.randn(tuple(shape), generator=generator).to(dtype)
    low, high = (0, 2) if dtype == torch.bool else (0, 12) if dtype == torch.uint8 else (-11, 12)
    return torch.randint(low, high, tuple(shape), generator=generator).to(dtype)


def channels_last(shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return tensor(shape, dtype, seed).contiguous(memory_format=torch.channels_last)


def with_specials(shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Return values with NaN and both infinities at random positions."""
    values = tensor(shape, dtype, seed)
    flat = values.view(-1)
    generator = torch.Generator().manual_seed(seed)
    for special in (float("nan"), float("inf"), float("-inf")):
        places = torch.randperm(flat.numel(), generator=generator)[: max(1, flat.numel() // 12)]
        flat[places] = special
    return values
