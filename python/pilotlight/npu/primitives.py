# SPDX-License-Identifier: Apache-2.0
"""The operators on numbers, sizes and views that are part of ExecuTorch's runtimes.

The last argument is the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pilotlight.errors import BadProgram


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) else value


def _integer_quotient(a: int, b: int) -> int:
    """Divide integers as C++ does, rounding towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _quotient(a: float, b: float) -> float:
    """Divide doubles as C++ does. A division by zero gives infinity or NaN."""
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b))


def _floor_quotient(a: float, b: float) -> float:
    """Divide, rounding towards minus infinity.

    If one of the numbers is a double, a division by zero gives infinity with the dividend's sign,
    as in ExecuTorch's wheel.
    """
    if b != 0 or not (isinstance(a, float) or isinstance(b, float)):
        return a // b
    return math.copysign(math.inf, a)


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "executorch_prim::add.Scalar": lambda a, b: a + b,
    "executorch_prim::sub.Scalar": lambda a, b: a - b,
    "executorch_prim::mul.Scalar": lambda a, b: a * b,
    "executorch_prim::floordiv.Scalar": _floor_quotient,
    "executorch_prim::floordiv.int": _integer_quotient,
    "executorch_prim::truediv.Scalar": _quotient,
    "executorch_prim::mod.Scalar": lambda a, b: a - b * _integer_quotient(a, b),
    "executorch_prim::mod.int": lambda a, b: a - b * _integer_quotient(a, b),
    "executorch_prim::sym_max.Scalar": max,
    "executorch_prim::sym_min.Scalar": min,
    "executorch_prim::eq.Scalar": lambda a, b: a == b,
    "executorch_prim::gt.Scalar": lambda a, b: a > b,
    "executorch_prim::lt.Scalar": lambda a, b: a < b,
    "executorch_prim::ge.Scalar": lambda a, b: a >= b,
    "executorch_prim::le.Scalar": lambda a, b: a <= b,
    "executorch_prim::sym_not.Scalar": lambda a: not a,
    "executorch_prim::sym_ite.Scalar": lambda condition, a, b: a if condition else b,
    "executorch_prim::neg.Scalar": lambda a: -a,
    "executorch_prim::ceil.Scalar": math.ceil,
    "executorch_prim::round.Scalar": round,
    "executorch_prim::trunc.Scalar": math.trunc,
    "executorch_prim::sym_float.Scalar": float,
    "executorch_prim::sym_int.Scalar": int,
    "aten::_local_scalar_dense": lambda a: a,
}


def _view(tensor: Any, result: Any) -> None:
    """Copy the elements into another shape. The result may overlap the tensor's memory."""
    result[...] = np.ascontiguousarray(tensor).reshape(result.shape)


def _copy_index(tensors: Any, source: Any, index: int) -> None:
    tensors[index] = source


NUMERIC = frozenset(_ARITHMETIC)
NAMES = NUMERIC | {
    "aten::sym_size.int",
    "aten::sym_numel",
    "executorch_prim::et_view.default",
    "executorch_prim::et_copy_index.tensor",
}


def call(name: str, arguments: Sequence[Any]) -> Any:
    """Run an operator of `NAMES`. Return the result, None if the operator wrote it to a tensor.

    Raises BadProgram if the arguments do not fit the operator.
    """
    try:
        if name == "executorch_prim::et_view.default":
            return _view(arguments[0], arguments[-1])
        if name == "executorch_prim::et_copy_index.tensor":
            return _copy_index(arguments[0], arguments[1], _scalar(arguments[2]))
        if name == "aten::sym_size.int":
            return int(arguments[0].shape[arguments[1]])
        if name == "aten::sym_numel":
            return int(arguments[0].size)
        return _ARITHMETIC[name](*map(_scalar, arguments[:-1]))
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise BadProgram(f"{name}: {error}") from error
