# SPDX-License-Identifier: Apache-2.0
"""Calls the CPU operators of a program: finds the kernel of each, and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pilotlight.errors import BadProgram, UnsupportedOperator
from pilotlight.npu import cpu_operators, primitives
from pilotlight.pte import KernelCall, Method, TensorList

Kernel = Callable[[Sequence[Any]], None]


class CpuKernels:
    """The CPU operators of a method.

    description: where the kernels come from, for the user; "" if the method needs none.

    Raises UnsupportedOperator for an operator without a kernel here.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._kernels, self.description = _find_kernels(method)

    def call(self, instruction: KernelCall, values: list[Any]) -> None:
        """Run one call. Tensors in `values` are written in place; other results are replaced.

        Raises BadProgram if the arguments do not fit the operator.
        """
        arguments = self._arguments(instruction, values)
        if instruction.operator not in primitives.NAMES:
            self._kernels[instruction.operator](arguments)
        elif (result := primitives.call(instruction.operator, arguments)) is not None:
            values[instruction.arguments[-1]] = result

    def _arguments(self, instruction: KernelCall, values: list[Any]) -> list[Any]:
        """Return the arguments of a call, with lists of values instead of lists of indices."""
        types = self._method.value_types
        found: list[Any] = []
        for index in instruction.arguments:
            value = values[index]
            if isinstance(value, TensorList):
                value = [None if item < 0 else values[item] for item in value.items]
            elif types[index] == "IntList":
                value = [_integer(values, item) for item in value]
            elif types[index] == "BoolList":
                value = [bool(item) for item in value]
            elif isinstance(value, tuple):
                value = list(value)
            found.append(value)
        return found


def _integer(values: list[Any], index: int) -> int:
    if not 0 <= index < len(values) or not isinstance(values[index], int):
        raise BadProgram(f"a list of integers refers to value {index}, which is not an integer")
    return int(values[index])


def _find_kernels(method: Method) -> tuple[dict[str, Kernel], str]:
    """Return the kernel of each CPU operator by name, and where the kernels come from.

    NumPy quantises and dequantises. PyTorch is loaded only if there is another operator.
    """
    names = [name for name in method.operators if name not in primitives.NAMES]
    found: dict[str, Kernel] = {
        name: partial(cpu_operators.call, name) for name in names if name in cpu_operators.NAMES
    }
    others = [name for name in names if name not in found]
    if not others:
        return found, "NumPy" if found else ""
    try:
        from pilotlight.npu.cpu_pytorch import DESCRIPTION, PyTorchOperator
    except ImportError as error:
        raise UnsupportedOperator(
            f"method {method.name} calls the CPU operator {others[0]}, which needs PyTorch here: {error}",
            hint="install torch and executorch, as scripts/demo.sh does",
        ) from error
    found |= {name: PyTorchOperator(name) for name in others}
    return found, DESCRIPTION
