# SPDX-License-Identifier: Apache-2.0
"""Finds the range of a histogram in torchao's steps, without a tensor operation for each step.

torchao narrows the range of a histogram from both ends. Each step leaves out another 0.001 % of the
values at one end, and moves that end to the bin in which this share lies. To find the bin, torchao
compares one element of a tensor after the other. Here, a binary search in a list finds it. Where
many steps in a row move nothing, another search finds the first step that moves an end.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from torchao.quantization.pt2e.observer import HistogramObserver

# The share of the values that a step leaves out, as in torchao.
_STEP = 1e-5
_MOST_STEPS = round(1 / _STEP) + 2


@contextmanager
def quick_histogram_search() -> Iterator[None]:
    """During the block, histogram observers find the range that torchao finds, in less time."""
    search = HistogramObserver._non_linear_param_search

    def quick(observer: Any) -> Any:
        below = observer.histogram.cumsum(0).numpy()
        if not _is_sorted(below):
            return search(observer)
        start, end = _range(observer, below.tolist(), observer.histogram.sum().item())
        width = (observer.max_val - observer.min_val) / observer.bins
        return observer.min_val + width * start, observer.min_val + width * (end + 1)

    HistogramObserver._non_linear_param_search = quick
    try:
        yield
    finally:
        HistogramObserver._non_linear_param_search = search


def _is_sorted(below: npt.NDArray[np.float32]) -> bool:
    """Whether each number is at least as large as the one before; false if one is not a number."""
    return bool((below[:-1] <= below[1:]).all())


def _range(observer: Any, below: list[float], total: float) -> tuple[int, int]:
    """Return the first and the last bin of the range.

    below: for each bin, the number of values in it and in the bins before it. total: of all bins.
    """
    starts, ends = _shares(0.0, _STEP), _shares(1.0, -_STEP)

    def number(shares: npt.NDArray[np.float64], step: int) -> float:
        # PyTorch rounds a number to float32 before it compares the number with a tensor.
        return float(np.float32(shares[step] * total))

    start, end = 0, observer.bins - 1
    start_step, end_step = 0, 0
    lowest_error = float("inf")
    while starts[start_step] < ends[end_step]:
        # The bins that a step would move the ends to.
        later = min(bisect_left(below, number(starts, start_step + 1), lo=start), end)
        sooner = max(bisect_right(below, number(ends, end_step + 1), hi=end + 1) - 1, start)
        if (later, sooner) == (start, end):
            # Neither end moves. Steps at the upper end follow, until one moves it.
            end_step = bisect_left(
                range(_MOST_STEPS - 1), True, lo=end_step + 1, key=lambda step: number(ends, step + 1) < below[end]
            )
            if start == end or end_step == _MOST_STEPS - 1:
                break
            continue
        if later - start > end - sooner:
            start_step += 1
            new_start, new_end = later, end
        else:
            end_step += 1
            new_start, new_end = start, sooner
        error = observer._compute_quantization_error(new_start, new_end)
        if error > lowest_error:
            break
        lowest_error, start, end = error, new_start, new_end
    return start, end


@functools.cache
def _shares(first: float, step: float) -> npt.NDArray[np.float64]:
    """Return the share of the values below an end after 0, 1, 2 ... steps, each rounded."""
    shares = np.full(_MOST_STEPS, step)
    shares[0] = first
    return np.add.accumulate(shares)
