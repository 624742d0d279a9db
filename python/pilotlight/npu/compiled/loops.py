# SPDX-License-Identifier: Apache-2.0
"""The functions of loops.c, for arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.compiled.library import library

_ADDRESS, _SIZE, _DISTANCE, _DOUBLE = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_ssize_t, ctypes.c_double
_STORE = (_ADDRESS, _SIZE, _SIZE, _ADDRESS, _ADDRESS, _DOUBLE, _DOUBLE, _DOUBLE, _ADDRESS)
_DEPTHWISE = (_ADDRESS, _DISTANCE, _DISTANCE, _DISTANCE, _ADDRESS, _SIZE, _SIZE, _SIZE, _SIZE, _ADDRESS)


@cache
def _function(name: str, arguments: tuple[Any, ...]) -> Callable[..., None] | None:
    """Return a function of the library, None if there is no library or no such function."""
    function = getattr(library(), name, None)
    if function is None:
        return None
    function.argtypes, function.restype = list(arguments), None
    found: Callable[..., None] = function
    return found


@dataclass(frozen=True)
class Factors:
    """The numbers of an output stage. scale, bias: one entry per lane, or one entry for all."""

    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    offset: float
    limits: tuple[int, int]


def store(factors: Factors, accumulators: np.dtype[Any], out: np.dtype[Any]) -> Callable[..., None] | None:
    """Return a function of (accumulators, out), two contiguous arrays of equal size.

    It writes clip(floor((accumulators + bias) * scale + offset), *limits) to `out`. The lanes are
    the last axis, and `limits` fit into `out` and into 32 bits. None if NumPy has to compute this.
    """
    function = _function(f"store_{accumulators.name}_{out.name}", _STORE)
    if function is None:
        return None
    scale, bias = (np.ascontiguousarray(array, np.float64) for array in (factors.scale, factors.bias))
    lanes = scale.size
    fixed = (scale.ctypes.data, bias.ctypes.data, factors.offset, *factors.limits)

    def run(values: NDArray[Any], results: NDArray[Any]) -> None:
        # `scale` and `bias` live as long as this function does.
        assert scale.size == bias.size == lanes and values.size == results.size
        function(values.ctypes.data, values.size // lanes, lanes, *fixed, results.ctypes.data)

    return run


def depthwise(taps: NDArray[Any], factors: NDArray[Any], out: NDArray[Any]) -> bool:
    """Write the sum over y and x of taps[h, y, x, l] * factors[y, x, l] to out[h, l].

    taps: any strides but in the last axis, which is contiguous like `factors` and `out`. All have
        one floating type, which holds each partial sum exactly.

    Returns False if NumPy has to compute this.
    """
    function = _function(f"depthwise_{taps.dtype.name}", _DEPTHWISE)
    if function is None:
        return False
    distances = (stride // taps.itemsize for stride in taps.strides[:3])
    function(taps.ctypes.data, *distances, factors.ctypes.data, *taps.shape, out.ctypes.data)
    return True
