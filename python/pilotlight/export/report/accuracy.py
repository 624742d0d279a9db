# SPDX-License-Identifier: Apache-2.0
"""Compares golden and quantised outputs with FP32, and with each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import TensorInfo
from pilotlight.export.report.report import SQNR_LIMIT_DB, Agreement, OutputAccuracy, SliceAccuracy

Array = NDArray[Any]

# A slice with fewer values over all samples may be near zero by chance.
_FEWEST_VALUES = 16


def real(values: Array, info: TensorInfo) -> NDArray[np.float64]:
    """Return the real numbers that stored values represent.

    >>> real(np.array([-128, 127], np.int8), TensorInfo("x", "int8", (2,), 0.5, -128))
    array([  0. , 127.5])
    """
    stored = values.astype(np.float64)
    return (stored - info.zero_point) * info.scale if info.scale else stored


def sqnr_db(signal: Array, measured: Array) -> float | None:
    """Return the ratio of signal power to error power in dB, None if either power is zero.

    Values that are not finite are ignored here; `export/report/findings.py` reports them.

    >>> sqnr_db(np.array([10.0, 10.0, np.inf]), np.array([11.0, 9.0, 1.0]))
    20.0
    """
    signal_power, noise_power = (float(power.sum()) for power in _powers(signal, measured))
    if not signal_power or not noise_power:
        return None
    return 10 * math.log10(signal_power / noise_power)


def worst_slices(info: TensorInfo, fp32: Array, golden: Array) -> tuple[SliceAccuracy, ...]:
    """Return the worst slice along each axis of an output. The SQNR of the whole output may hide a
    bad slice.

    fp32, golden: real numbers [samples, ...]. A slice is `output[..., index, ...]` of all samples.

    >>> boxes_and_score = np.full((16, 2), [300.0, 0.9])
    >>> info = TensorInfo("y", "int8", (1, 2), 1.2, -128)
    >>> worst_slices(info, boxes_and_score, boxes_and_score * [0.999, 0])
    (SliceAccuracy(axis=1, index=1, sqnr_golden_db=0.0, largest=0.9, slices=2, below_limit=1),)
    """
    signal, noise = _powers(fp32, golden)
    found = []
    for axis, values in enumerate(fp32.shape):
        others = tuple(other for other in range(fp32.ndim) if other != axis)
        if axis <= fp32.ndim - len(info.shape) or values < 2 or fp32.size // values < _FEWEST_VALUES:
            continue
        signals, noises = signal.sum(axis=others), noise.sum(axis=others)
        largest = np.abs(np.where(np.isfinite(fp32), fp32, 0.0)).max(axis=others)
        judged = (signals > 0) & (noises > 0) & ~_is_nothing_of_a_probability(info, largest)
        if not judged.any():
            continue
        ratios = np.full(values, np.inf)
        ratios[judged] = 10 * np.log10(signals[judged] / noises[judged])
        worst = int(ratios.argmin())
        found.append(
            SliceAccuracy(
                axis=axis - (fp32.ndim - len(info.shape)),
                index=worst,
                sqnr_golden_db=float(ratios[worst]),
                largest=float(largest[worst]),
                slices=values,
                below_limit=int((ratios < SQNR_LIMIT_DB).sum()),
            )
        )
    return tuple(found)


def lost_rows(info: TensorInfo, fp32: Array, golden: Array) -> dict[int, list[int]]:
    """Return, for each axis, the slices that never change in golden but vary in FP32.

    With one sample, return the slices that are zero in golden but not in FP32.

    >>> scores = np.tile([[0.3, 0.3], [0.4, 0.4]], (8, 1))
    >>> lost_rows(TensorInfo("y", "int8", (1, 2), 1.2, -128), scores, scores * [1, 0])
    {1: [1]}
    """
    found = {}
    offset = fp32.ndim - len(info.shape)
    several = len(golden) > 1
    same = (golden == golden[:1]) if several else (golden == 0)
    varies = np.isfinite(fp32) & ((fp32 != fp32[:1]) & np.isfinite(fp32[:1]) if several else (fp32 != 0))
    for axis in range(offset + 1, fp32.ndim):
        others = tuple(other for other in range(fp32.ndim) if other != axis)
        if fp32.shape[axis] < 2 or fp32.size // fp32.shape[axis] < _FEWEST_VALUES:
            continue
        largest = np.abs(np.where(np.isfinite(fp32), fp32, 0.0)).max(axis=others)
        lost = same.all(axis=others) & varies.any(axis=others) & ~_is_nothing_of_a_probability(info, largest)
        if lost.any():
            found[axis - offset] = [int(index) for index in np.flatnonzero(lost)]
    return found


def _powers(signal: Array, measured: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the squares of signal and error for each value; zero where either is not finite."""
    wide = signal.astype(np.float64)
    finite = np.isfinite(wide) & np.isfinite(measured)
    wide, other = np.where(finite, wide, 0.0), np.where(finite, measured, 0.0)
    return np.square(wide), np.square(wide - other)


def _is_nothing_of_a_probability(info: TensorInfo, largest: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the output is a probability and the slices are below half of its step.

    largest: the largest value of each slice. An example of such a slice is the score of a class
        that no sample has.
    """
    is_probability = info.zero_point == -128 and 0.9 < info.scale * 255 < 1.1
    return (largest < info.scale / 2) & is_probability


def largest_error(fp32: Array, measured: Array) -> float:
    """Return the largest difference between finite values."""
    return float(np.sqrt(_powers(fp32, measured)[1].max(initial=0.0)))


def agreement(golden: Array, quantised: Array) -> Agreement:
    """Count the values that differ, and find the largest difference.

    >>> agreement(np.array([1, 2, 3], np.int8), np.array([1, 3, 3], np.int8))
    Agreement(values=3, differing=1, max_difference=1.0)
    """
    difference = np.abs(golden.astype(np.float64) - quantised.astype(np.float64))
    return Agreement(golden.size, int(np.count_nonzero(difference)), float(difference.max(initial=0.0)))


def output_accuracy(info: TensorInfo, fp32: Array, quantised: Array, golden: Array) -> OutputAccuracy:
    """Compare one output. fp32: real numbers. quantised, golden: stored. All [samples, ...]."""
    quantised_real, golden_real = real(quantised, info), real(golden, info)
    return OutputAccuracy(
        name=info.name,
        sqnr_quantised_db=sqnr_db(fp32, quantised_real),
        sqnr_golden_db=sqnr_db(fp32, golden_real),
        max_error_quantised=largest_error(fp32, quantised_real),
        max_error_golden=largest_error(fp32, golden_real),
        agreement=agreement(golden, quantised),
        worst_slices=worst_slices(info, fp32, golden_real),
    )
