# SPDX-License-Identifier: Apache-2.0
"""How far the answers are from FP32, and from each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import TensorInfo
from pilotlight.export.report import Agreement, OutputAccuracy, TopOne

Array = NDArray[Any]


def real(values: Array, info: TensorInfo) -> NDArray[np.float64]:
    """Return stored values as the numbers they stand for.

    >>> real(np.array([-128, 127], np.int8), TensorInfo("x", "int8", (2,), 0.5, -128))
    array([  0. , 127.5])
    """
    stored = values.astype(np.float64)
    return (stored - info.zero_point) * info.scale if info.scale else stored


def sqnr_db(signal: Array, measured: Array) -> float | None:
    """Return the ratio of the signal's power to that of the error, None when either is nought.

    >>> sqnr_db(np.array([10.0, 10.0]), np.array([11.0, 9.0]))
    20.0
    """
    signal_power = float(np.sum(np.square(signal, dtype=np.float64)))
    noise_power = float(np.sum(np.square(signal.astype(np.float64) - measured)))
    if not signal_power or not noise_power:
        return None
    return 10 * math.log10(signal_power / noise_power)


def agreement(golden: Array, quantised: Array) -> Agreement:
    """Compare value by value.

    >>> agreement(np.array([1, 2, 3], np.int8), np.array([1, 3, 3], np.int8))
    Agreement(values=3, differing=1, max_difference=1.0)
    """
    difference = np.abs(golden.astype(np.float64) - quantised.astype(np.float64))
    return Agreement(golden.size, int(np.count_nonzero(difference)), float(difference.max(initial=0.0)))


def output_accuracy(info: TensorInfo, fp32: Array, quantised: Array, golden: Array) -> OutputAccuracy:
    quantised_real, golden_real = real(quantised, info), real(golden, info)
    return OutputAccuracy(
        name=info.name,
        sqnr_quantised_db=sqnr_db(fp32, quantised_real),
        sqnr_golden_db=sqnr_db(fp32, golden_real),
        max_error_quantised=float(np.abs(fp32 - quantised_real).max(initial=0.0)),
        max_error_golden=float(np.abs(fp32 - golden_real).max(initial=0.0)),
        agreement=agreement(golden, quantised),
    )


def top_one(labels: Array, fp32: Array, quantised: Array, golden: Array) -> TopOne:
    def share(scores: Array) -> float:
        return float(np.mean(scores.reshape(len(labels), -1).argmax(axis=1) == labels))

    return TopOne(fp32=share(fp32), quantised=share(quantised), golden=share(golden))
