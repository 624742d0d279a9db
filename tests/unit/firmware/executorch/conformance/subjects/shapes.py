# SPDX-License-Identifier: Apache-2.0
"""Shapes with upper bounds, without dimensions, without elements, and in other dim orders."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager
from torch.export import Dim

from .authoring import method, program

BATCH = Dim("batch", min=1, max=8)
LENGTH = Dim("length", min=2, max=16)


def upper_bounds() -> ExecutorchProgramManager:
    x = torch.rand(4, 6)
    return program(
        {
            "elementwise": method(lambda x, y: x * y + 1, x, x, dynamic=({0: BATCH}, {0: BATCH})),
            "linear": method(torch.nn.Linear(6, 3), x, dynamic=({0: BATCH},)),
            "two": method(lambda x: x.transpose(0, 1) * 2, x, dynamic=({0: BATCH, 1: LENGTH},)),
        }
    )


def sizes_in_arithmetic() -> ExecutorchProgramManager:
    x = torch.rand(4, 6)

    def flatten(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0] * 3, 2) + 1

    def count(x: torch.Tensor) -> torch.Tensor:
        return x + x.shape[0] * 2 - 1

    def halves(x: torch.Tensor) -> torch.Tensor:
        return x[: x.shape[0] // 2]

    dynamic = ({0: BATCH},)
    return program(
        {
            "flatten": method(flatten, x, dynamic=dynamic),
            "count": method(count, x, dynamic=dynamic),
            "halves": method(halves, x, dynamic=({0: 2 * Dim("half", min=1, max=4)},)),
            "size": method(lambda x: (x + 1, x.shape[0]), x, dynamic=dynamic),
        }
    )


def no_dimensions() -> ExecutorchProgramManager:
    return program(
        {
            "float": method(lambda x, y: x + y, torch.tensor(1.5), torch.tensor(2.0)),
            "broadcast": method(lambda x, y: x * y, torch.tensor(2.0), torch.rand(3)),
            "sum": method(lambda x: x.sum(), torch.rand(3, 2)),
            "int": method(lambda x: x + 1, torch.tensor(3, dtype=torch.int32)),
        }
    )


def no_elements() -> ExecutorchProgramManager:
    return program(
        {
            "add": method(lambda x: x + 1, torch.rand(0, 3)),
            "cat": method(lambda x, y: torch.cat([x, y]), torch.rand(0, 3), torch.rand(2, 3)),
            "narrow": method(lambda x: x[:, 2:2] + 1, torch.rand(2, 4)),
        }
    )


def many_dimensions() -> ExecutorchProgramManager:
    return program(method(lambda x: x.permute(5, 4, 3, 2, 1, 0) + 1, torch.rand(1, 2, 3, 1, 2, 2)))


def channels_last() -> ExecutorchProgramManager:
    image = torch.rand(1, 3, 4, 4).to(memory_format=torch.channels_last)
    conv = torch.nn.Conv2d(3, 2, 3).to(memory_format=torch.channels_last)
    return program(
        {
            "keep": method(lambda x: x + 1.5, image),
            "enter": method(lambda x: x.to(memory_format=torch.channels_last), torch.rand(1, 3, 4, 4)),
            "leave": method(lambda x: x.contiguous() * 2, image),
            "conv": method(conv, image),
            "volume": method(lambda x: x + 1, torch.rand(1, 2, 2, 3, 2).to(memory_format=torch.channels_last_3d)),
        }
    )


CASES = (
    upper_bounds,
    sizes_in_arithmetic,
    no_dimensions,
    no_elements,
    many_dimensions,
    channels_last,
)
