# SPDX-License-Identifier: Apache-2.0
"""Branches and loops."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager
from torch._higher_order_ops.map import map as torch_map

from .authoring import method, program


def branch() -> ExecutorchProgramManager:
    def call(flag: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(flag, lambda x: x * 2 + 1, lambda x: x - 3, (x,)) + 1

    return program(method(call, torch.tensor(True), torch.rand(3)))


def branch_in_a_branch() -> ExecutorchProgramManager:
    def inner(x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x * 3, (x,))

    def call(x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x[0] > 0, inner, lambda x: x - 1, (x,))

    return program(method(call, torch.rand(3)))


def loop() -> ExecutorchProgramManager:
    def call(rows: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch_map(lambda row, y: row * 2 + y, rows, y)

    return program(method(call, torch.rand(3, 4), torch.rand(4)))


CASES = (branch, branch_in_a_branch, loop)
