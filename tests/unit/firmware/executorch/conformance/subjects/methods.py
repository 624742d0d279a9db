# SPDX-License-Identifier: Apache-2.0
"""Several methods in one program."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager

from .authoring import method, program


def several_methods() -> ExecutorchProgramManager:
    torch.manual_seed(1)
    shared = torch.nn.Linear(4, 4)
    return program(
        {
            "forward": method(torch.nn.Sequential(shared, torch.nn.ReLU()), torch.rand(1, 4)),
            "encode": method(torch.nn.Sequential(shared, torch.nn.Softmax(-1)), torch.rand(5, 4)),
            "decode": method(lambda x: x.to(torch.int32) + 1, torch.rand(2, 2, 2)),
        }
    )


def constant_methods() -> ExecutorchProgramManager:
    answers = {"vocabulary": 5, "name": "tiny", "epsilon": 0.5, "trained": True, "table": torch.arange(3)}
    return program(method(lambda x: x + 1, torch.rand(2)), constant_methods=answers)


CASES = (several_methods, constant_methods)
