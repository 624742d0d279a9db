# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators: broadcasting, scalars of each kind, comparisons."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager

from .authoring import method, program

A, B, ROW = torch.rand(3, 4), torch.rand(3, 4), torch.rand(4)


def elementwise() -> ExecutorchProgramManager:
    return program(
        {
            "add": method(lambda x, y: torch.add(x, y, alpha=2), A, ROW),
            "subtract": method(lambda x, y: x - y, A, ROW),
            "multiply": method(lambda x, y: x * y, torch.rand(3, 1), ROW),
            "divide": method(lambda x, y: x / (y + 10), A, B),
            "scalars": method(lambda x: (x + 2) * 0.5 - 1.25, A),
            "clamp": method(lambda x: x.clamp(-0.5) + x.clamp(max=0.25) + x.clamp(-1.0, 1.0), A),
            "where": method(lambda x, y: torch.where(x > y, x, y), A, B),
        }
    )


def comparisons() -> ExecutorchProgramManager:
    return program(
        {
            "tensors": method(lambda x, y: (x < y, x <= y, x > y, x >= y, x == y, x != y), A, ROW),
            "scalars": method(lambda x: (x < 0, x == 0.5, x >= 1), A),
            "logic": method(lambda x, y: ((x > 0) & (y > 0), (x > 0) | (y > 0), ~(x > 0)), A, B),
        }
    )


def unary() -> ExecutorchProgramManager:
    return program(
        {
            "exp_log": method(lambda x: (torch.exp(x), torch.log(x + 3)), A),
            "roots": method(lambda x: (torch.sqrt(x + 3), torch.rsqrt(x + 3)), A),
            "activations": method(
                lambda x: (torch.sigmoid(x), torch.tanh(x), torch.nn.functional.gelu(x), torch.relu(x)), A
            ),
            "signs": method(lambda x: (-x, torch.abs(x)), A),
        }
    )


CASES = (elementwise, comparisons, unary)
