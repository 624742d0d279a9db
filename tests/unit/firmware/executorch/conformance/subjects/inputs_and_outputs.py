# SPDX-License-Identifier: Apache-2.0
"""Methods whose inputs and outputs are not only tensors."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager

from .authoring import method, program


def scalars() -> ExecutorchProgramManager:
    x = torch.rand(2, 3)
    return program(
        {
            "int": method(lambda x, n: x * n, x, 3),
            "double": method(lambda x, f: x * f, x, 0.75),
            "bool": method(lambda x, flag: x + 1 if flag else x - 1, x, True),
            "outputs": method(lambda x: (x + 1, 5, 0.5, True, None), x),
            "none": method(lambda x, nothing: x + 1 if nothing is None else x, x, None),
            "string": method(lambda x, mode: x + 1 if mode == "up" else x, x, "up"),
        }
    )


def nested() -> ExecutorchProgramManager:
    def call(pair: tuple[torch.Tensor, list[torch.Tensor]], named: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        first, (second, third) = pair
        return {"sum": first + second, "other": third * named["scale"]}

    x = torch.rand(2, 2)
    return program(method(call, (x, [x, x]), {"scale": x}))


def the_same_output_twice() -> ExecutorchProgramManager:
    def call(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        y = x + 1
        return y, y, x

    return program(method(call, torch.rand(3)))


def no_inputs() -> ExecutorchProgramManager:
    return program({"range": method(lambda: torch.arange(6) * 2), "full": method(lambda: torch.full((2, 3), 0.5))})


CASES = (scalars, nested, the_same_output_twice, no_inputs)
