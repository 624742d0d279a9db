# SPDX-License-Identifier: Apache-2.0
"""The functions of loops.c, for arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.compiled.library import library
from pilotlight.npu.stream.feature_map import SMALL_BYTES

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


@cache
def _store_function(accumulators: str, out: str) -> Callable[..., None] | None:
    """Return the loop for two types, by their characters in NumPy: names take long to find."""
    return _function(f"store_{np.dtype(accumulators).name}_{np.dtype(out).name}", _STORE)


class Store:
    """Writes clip(floor((accumulators + bias) * scale + offset), low, high).

    scale, bias: one entry per lane, or a number for all lanes; None is 0. The lanes are the last
        axis.
    limits: low and high, which fit into the output and into 32 bits.
    """

    def __init__(
        self,
        function: Callable[..., None],
        scale: NDArray[np.float64],
        bias: NDArray[np.float64] | None,
        offset: float,
        limits: tuple[int, int],
    ) -> None:
        self._function = function
        self._lanes = lanes = max(scale.size, 1 if bias is None else bias.size)
        # The loop gets the addresses of this array, so it must live as long as this object.
        self._factors = np.empty((2, lanes))
        self._factors[0], self._factors[1] = scale, 0 if bias is None else bias
        first = self._factors.ctypes.data
        self._fixed = (first, first + self._factors.strides[0], offset, *limits)
        self._values, self._results = _Address(), _Address()

    @classmethod
    def of(cls, accumulators: np.dtype[Any], out: np.dtype[Any], **numbers: Any) -> Store | None:
        """Return the loop for these types, None if NumPy has to compute instead."""
        function = _store_function(accumulators.char, out.char)
        return None if function is None else cls(function, **numbers)

    def __call__(self, accumulators: NDArray[Any], out: NDArray[Any]) -> None:
        """accumulators, out: contiguous, of equal size, and of the types given to `of`."""
        size = accumulators.size
        assert size == out.size
        values, results = self._values.of(accumulators), self._results.of(out)
        self._function(values, size // self._lanes, self._lanes, *self._fixed, results)


class _Address:
    """The address of an array that is often the same. To ask an array for it takes 1 us."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        # One object, because threads may read it while another one replaces it.
        self._kept: tuple[NDArray[Any] | None, int] = None, 0

    def of(self, array: NDArray[Any]) -> int:
        kept, address = self._kept
        if array is kept:
            return address
        address = array.ctypes.data
        if array.nbytes <= SMALL_BYTES:
            self._kept = array, address
        return address


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
