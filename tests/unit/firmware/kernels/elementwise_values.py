# SPDX-License-Identifier: Apache-2.0
"""Tensors of random numbers that include the edge values of their dtype."""

from __future__ import annotations

from collections.abc import Sequence

import torch

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
FLOATS = (torch.float16, torch.float32, torch.float64)
NUMBERS = (*INTEGERS, *FLOATS)
ANY = (*NUMBERS, torch.bool)

_FLOAT_EDGES = (0.0, -0.0, float("inf"), float("-inf"), float("nan"), 0.5, -0.5, 1.5, 2.5, 1.0, -1.0)


def values(dtype: torch.dtype, *shape: int, scale: float = 4.0, edges: bool = True) -> torch.Tensor:
    """Return a tensor of `shape`. The tensor has edge values at random positions, as many as
    fit."""
    if dtype == torch.bool:
        return torch.randint(0, 2, shape, dtype=torch.bool)
    if dtype.is_floating_point:
        tensor = (torch.randn(shape) * scale).to(dtype)
        special: Sequence[float] = _FLOAT_EDGES
    else:
        low = 0 if dtype == torch.uint8 else -20
        tensor = torch.randint(low, 21, shape).to(dtype)
        limits = torch.iinfo(dtype)
        special = (0, 1, limits.min, limits.max, limits.max - 1)
    if edges:
        flat = tensor.view(-1)
        count = min(len(special), flat.numel())
        places = torch.randperm(flat.numel())[:count]
        flat[places] = torch.tensor(special[:count], dtype=dtype)
    return tensor


def nonzero(tensor: torch.Tensor) -> torch.Tensor:
    """Return `tensor` with 1 where it is 0."""
    return torch.where(tensor == 0, torch.ones_like(tensor), tensor)


def spread(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Return `tensor` of rank 4 in two dim orders."""
    return [tensor, tensor.contiguous(memory_format=torch.channels_last)]
