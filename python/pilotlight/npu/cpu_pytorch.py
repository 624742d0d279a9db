# SPDX-License-Identifier: Apache-2.0
"""CPU operators of a program by PyTorch's own kernels, as the exporter's golden outputs have them.

Imported only for a program that has such operators: it loads PyTorch. A kernel works on the memory of the
simulator's arrays, in the layout that the program gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pilotlight.errors import BadProgram, UnsupportedOperator

# They open files, which no kernel of a program does.
_NO_KERNELS = ("aten::from_file",)

DESCRIPTION = f"PyTorch {torch.__version__}"


def _register() -> None:
    """Make the operators known that ExecuTorch adds to PyTorch's. Quantise and dequantise come with PyTorch."""
    import torch.ao.quantization.fx._decomposed  # noqa: F401

    try:
        from executorch.exir.passes import _quant_patterns_and_replacements, dim_order_ops_registry  # noqa: F401
    except ImportError as error:
        raise UnsupportedOperator(f"CPU operators need the executorch package: {error}") from error


class PyTorchOperator:
    """An operator of a .pte, found in PyTorch: the variant that writes to its result, or one that returns it."""

    def __init__(self, name: str) -> None:
        self._name = name
        writing = _overload(name)
        self._writes = writing is not None
        self._operator: Any = writing if self._writes else _overload(_functional(name))
        if self._operator is None:
            raise UnsupportedOperator(
                f"PyTorch has no CPU operator {name}",
                hint="an operator of your own has to be run on a target; the export report says why it was not "
                "delegated",
            )

    def __call__(self, arguments: Sequence[Any]) -> None:
        """Compute the result. Arguments are as the .pte lists them: inputs, then results, then results again."""
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
                raise BadProgram(f"{self._name}: the result is {tensor.dtype}{list(tensor.shape)}, not as planned")
            result.copy_(tensor)

    def _demand_shapes(self, arguments: Sequence[Any], given: Sequence[Any]) -> None:
        """PyTorch gives a result that does not fit new memory of its own, which nobody would see."""
        for argument, value in zip(arguments, given, strict=True):
            pairs = zip(argument, value, strict=True) if isinstance(argument, list) else ((argument, value),)
            for array, tensor in pairs:
                if isinstance(array, np.ndarray) and tuple(tensor.shape) != array.shape:
                    raise UnsupportedOperator(
                        f"{self._name} returns {list(tensor.shape)} where {list(array.shape)} was planned: shapes that "
                        "depend on data are not simulated"
                    )


def _overload(name: str) -> Any:
    """Return PyTorch's operator of a full name, aten::add.out; None when there is none."""
    _register()
    namespace, _, rest = name.partition("::")
    operator, _, overload = rest.partition(".")
    if f"{namespace}::{operator}" in _NO_KERNELS:
        return None
    packet = getattr(getattr(torch.ops, namespace, None), operator, None)
    found = getattr(packet, overload or "default", None)
    # Names come from a file, and may be those of other attributes.
    return found if isinstance(found, torch._ops.OpOverload) else None


def _functional(name: str) -> str:
    """Return the variant that returns its result.

    >>> _functional("quantized_decomposed::quantize_per_tensor.out"), _functional("aten::split_copy.Tensor_out")
    ('quantized_decomposed::quantize_per_tensor', 'aten::split_copy.Tensor')
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
    """View an array, in its layout."""
    return torch.from_numpy(array)
