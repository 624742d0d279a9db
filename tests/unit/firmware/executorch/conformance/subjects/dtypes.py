# SPDX-License-Identifier: Apache-2.0
"""Every dtype as input, constant and output."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager

from .authoring import method, program

DTYPES = {
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "half": torch.float16,
    "bfloat": torch.bfloat16,
    "float": torch.float32,
    "double": torch.float64,
    "bool": torch.bool,
}


class PlusConstant(torch.nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("constant", torch.tensor([1, 0, 3]).to(dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.constant])


def constants_of_each_dtype() -> ExecutorchProgramManager:
    return program({name: method(PlusConstant(dtype), torch.ones(5).to(dtype)) for name, dtype in DTYPES.items()})


def conversions() -> ExecutorchProgramManager:
    def to_all(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(x.to(dtype) for dtype in (torch.int8, torch.int32, torch.int64, torch.float32, torch.bool))

    some = {name: dtype for name, dtype in DTYPES.items() if name in ("int8", "uint8", "int32", "float")}
    # The input has one dimension more than elements, so that each conversion starts from another
    # dtype.
    return program({name: method(to_all, torch.ones(2, 3).to(dtype)) for name, dtype in some.items()})


CASES = (constants_of_each_dtype, conversions)
