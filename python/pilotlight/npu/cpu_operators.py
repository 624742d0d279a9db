# SPDX-License-Identifier: Apache-2.0
"""The CPU operators at the borders of a delegated program: quantise and dequantise.

Arguments are in the order of the .pte. Tensors are arrays, other values are Python values. The last
argument is the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pilotlight.errors import BadProgram


def quantize_per_tensor(arguments: Sequence[Any]) -> None:
    """Compute value / scale, rounded half to even, plus the zero point, and clamp the result.

    Like PyTorch, this multiplies by the reciprocal of the scale in float32.
    """
    values, scale, zero_point, lowest, highest = arguments[:5]
    inverse = np.float32(1.0) / np.float32(scale)
    with np.errstate(over="ignore", invalid="ignore"):
        quantised = np.nan_to_num(np.rint(values.astype(np.float32) * inverse), nan=0.0)
    arguments[-1][...] = np.clip(quantised.astype(np.float64) + zero_point, lowest, highest)


def dequantize_per_tensor(arguments: Sequence[Any]) -> None:
    values, scale, zero_point = arguments[:3]
    arguments[-1][...] = (values.astype(np.int64) - zero_point).astype(np.float32) * np.float32(scale)


_OPERATORS: dict[str, tuple[int, Callable[[Sequence[Any]], None]]] = {
    "quantized_decomposed::quantize_per_tensor.out": (8, quantize_per_tensor),
    "quantized_decomposed::dequantize_per_tensor.out": (9, dequantize_per_tensor),
}

NAMES = frozenset(_OPERATORS)


def call(name: str, arguments: Sequence[Any]) -> None:
    """Run an operator of `NAMES`. Raises BadProgram if the arguments do not fit its signature."""
    count, operator = _OPERATORS[name]
    numbers = arguments[1:5] if name.startswith("quantized_decomposed::quantize") else arguments[1:3]
    if (
        len(arguments) != count
        or not all(isinstance(arguments[index], np.ndarray) for index in (0, -1))
        or not all(isinstance(number, int | float) for number in numbers)
        or arguments[0].shape != arguments[-1].shape
        or not numbers[0]
    ):
        raise BadProgram(f"{name}: arguments do not fit its signature")
    operator(arguments)
