# SPDX-License-Identifier: Apache-2.0
"""Runs CPU operators with PyTorch's kernels, which also compute the exporter's golden outputs.

This module loads PyTorch, so it is imported only for a program with such operators. The kernels
work on the memory of the simulator's arrays, in the layout of the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pilotlight.errors import BadProgram, UnsupportedOperator

# These operators open files. A program must not do this.
_NO_KERNELS = ("aten::from_file",)

DESCRIPTION = f"PyTorch {torch.__version__}"


def _register() -> None:
    """Register the operators that ExecuTorch adds to PyTorch, and those for quantised values."""
    import torch.ao.quantization.fx._decomposed  # noqa: F401

    try:
        from executorch.exir.passes import _quant_patterns_and_replacements, dim_order_ops_registry  # noqa: F401
    except ImportError as error:
        raise UnsupportedOperator(f"CPU operators need the executorch package: {error}") from error


class PyTorchOperator:
    """PyTorch's implementation of an operator in a .pte.

    This is the variant that writes to its result, or else the variant that returns its result.

    Raises UnsupportedOperator if PyTorch has neither.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        writing = _overload(name)
        self._writes = writing is not None
        self._operator: Any = writing if self._writes else _overload(_functional(name))
        if self._operator is None:
            raise UnsupportedOperator(
                f"PyTorch has no CPU operator {name}",
                hint="run an operator of your own on a target; the export report tells why it was not delegated",
            )

    def __call__(self, arguments: Sequence[Any]) -> None:
        """Compute the result.

        arguments: in the order of the .pte: inputs, then results, then results again.

        Raises BadProgram if PyTorch refuses the arguments, and UnsupportedOperator if the shape of
        the result depends on data.
        """
        schema = self._operator._schema.arguments
        if len(arguments) < len(schema) + (not self._writes):
            raise BadProgram(f"{self._name}: {len(arguments)} arguments do not fit its signature")
        given = [_to_pytorch(argument) for argument in arguments]
        positional = [value for value, about in zip(given, schema, strict=False) if not about.kwarg_only]
        named = {about.name: value for value, about in zip(given, schema, strict=False) if about.kwarg_only}
        try:
            with torch.no_grad():
                returned = self._operator(*positional, **named)
                if self._writes:
                    self._demand_shapes(arguments, given)
                else:
                    self._copy(returned, given[len(schema) :])
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            first = str(error).strip().partition("\n")[0]
            raise BadProgram(f"{self._name}: PyTorch refuses its arguments: {first}") from error

    def _copy(self, returned: Any, results: Sequence[Any]) -> None:
        found = [returned] if isinstance(returned, torch.Tensor) else list(returned)
        wanted = results[0] if isinstance(results[0], list) else results[: len(found)]
        for tensor, result in zip(found, wanted, strict=True):
            if tensor.shape != result.shape or tensor.dtype != result.dtype:
                raise BadProgram(
                    f"{self._name}: the result is {tensor.dtype}{list(tensor.shape)}, "
                    f"but {result.dtype}{list(result.shape)} was planned"
                )
            result.copy_(tensor)

    def _demand_shapes(self, arguments: Sequence[Any], given: Sequence[Any]) -> None:
        """Check the shapes of results. PyTorch puts a result of another shape into new memory."""
        for argument, value in zip(arguments, given, strict=True):
            pairs = zip(argument, value, strict=True) if isinstance(argument, list) else ((argument, value),)
            for array, tensor in pairs:
                if isinstance(array, np.ndarray) and tuple(tensor.shape) != array.shape:
                    raise UnsupportedOperator(
                        f"{self._name} returns {list(tensor.shape)} where {list(array.shape)} was planned: shapes that "
                        "depend on data are not simulated"
                    )


def _overload(name: str) -> Any:
    """Return PyTorch's operator with a full name such as aten::add.out, None if there is none."""
    _register()
    namespace, _, rest = name.partition("::")
    operator, _, overload = rest.partition(".")
    if f"{namespace}::{operator}" in _NO_KERNELS:
        return None
    packet = getattr(getattr(torch.ops, namespace, None), operator, None)
    found = getattr(packet, overload or "default", None)
    # The name comes from a file, so it may be the name of another attribute.
    return found if isinstance(found, torch._ops.OpOverload) else None


def _functional(name: str) -> str:
    """Return the name of the variant that returns its result.

    >>> _functional("quantized_decomposed::quantize_per_tensor.out")
    'quantized_decomposed::quantize_per_tensor'
    >>> _functional("aten::split_copy.Tensor_out")
    'aten::split_copy.Tensor'
    """
    base, _, overload = name.rpartition(".")
    return base if overload == "out" else f"{base}.{overload.removesuffix('_out')}"


def _to_pytorch(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _tensor(value)
    if isinstance(value, list):
        return [_to_pytorch(item) for item in value]
    return value


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(array)
