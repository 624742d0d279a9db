# SPDX-License-Identifier: Apache-2.0
"""Exports Python functions to programs, with as little code as the exporter allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, ExecutorchProgramManager, to_edge
from torch.export import ExportedProgram


class _Function(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *args: Any) -> Any:
        return self._function(*args)


def method(code: torch.nn.Module | Callable[..., Any], *example: Any, dynamic: Any = None) -> ExportedProgram:
    """Export one method. `dynamic` has an entry per argument, as in torch.export."""
    if isinstance(code, torch.nn.Module):
        module, shapes = code.eval().requires_grad_(False), dynamic
    else:
        module, shapes = _Function(code), None if dynamic is None else (dynamic,)
    return torch.export.export(module, example, dynamic_shapes=shapes)


def program(
    methods: ExportedProgram | dict[str, ExportedProgram],
    config: ExecutorchBackendConfig | None = None,
    *,
    partitioner: Any = None,
    constant_methods: dict[str, Any] | None = None,
) -> ExecutorchProgramManager:
    # The edge dialect's verifier does not know our own operators, nor dtypes that only some kernels
    # take.
    unchecked = EdgeCompileConfig(_check_ir_validity=False)
    edge = to_edge(methods, constant_methods=constant_methods, compile_config=unchecked)
    if partitioner is not None:
        edge = edge.to_backend(partitioner)
    return edge.to_executorch(config or ExecutorchBackendConfig())
