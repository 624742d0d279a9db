# SPDX-License-Identifier: Apache-2.0
"""Observers for activations that upstream does not have: percentile and least square error.

Both keep the distribution of all values seen. A value counts in the bin of its float32 bits without
the lowest 11, so a bin is at most 2^-12 of its value wide. The bins need no range to be known
before the first sample, and their number is bounded.
"""

from __future__ import annotations

from typing import Any

import torch
from torchao.quantization.pt2e.observer import UniformQuantizationObserverBase

_LOST_BITS = 11
# The search for the least error tries these shares of the largest value at one end, then at the
# other end, and repeats this.
_SHARES = 48
_ROUNDS = 2
_SMALLEST_SHARE = 0.3


class _DistributionObserver(UniformQuantizationObserverBase):  # type: ignore[misc]
    """Counts values. lowest, highest: the exact extremes of all samples, each of shape []."""

    bins: torch.Tensor
    counts: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_buffer("bins", torch.empty(0, dtype=torch.int32))
        self.register_buffer("counts", torch.empty(0, dtype=torch.int64))
        self.register_buffer("lowest", torch.tensor(float("inf")))
        self.register_buffer("highest", torch.tensor(float("-inf")))

    def forward(self, x_orig: Any) -> Any:
        values = x_orig.detach().reshape(-1).float()
        if values.numel():
            found, counts = (values.contiguous().view(torch.int32) >> _LOST_BITS).unique(return_counts=True)
            self.bins, places = torch.cat((self.bins, found)).unique(return_inverse=True)
            merged = torch.zeros(len(self.bins), dtype=torch.int64)
            self.counts = merged.index_add(0, places, torch.cat((self.counts, counts)))
            self.lowest = torch.minimum(self.lowest, values.min())
            self.highest = torch.maximum(self.highest, values.max())
        return x_orig

    def distribution(self) -> tuple[Any, Any]:
        """Return the bins' middle values in ascending order, and their counts; both float64."""
        middle = (self.bins << _LOST_BITS) + (1 << (_LOST_BITS - 1))
        values = middle.view(torch.float32).double()
        # A bin of zeros must not become a small number.
        values[(self.bins << _LOST_BITS) & 0x7FFFFFFF == 0] = 0.0
        values = values.clamp(float(self.lowest), float(self.highest))
        order = values.argsort()
        values = values[order]
        # The outermost bins are known exactly.
        values[0], values[-1] = self.lowest.double(), self.highest.double()
        return values, self.counts[order].double()

    def range(self) -> tuple[Any, Any]:
        """Return the lowest and the highest value that the scale must reach."""
        raise NotImplementedError

    def calculate_qparams(self) -> tuple[Any, Any]:
        low, high = self.range() if len(self.bins) else (self.lowest, self.highest)
        scale, zero_point = self._calculate_qparams(low, high)
        return scale, zero_point


class PercentileObserver(_DistributionObserver):
    """Leaves out the outermost values: half of 100 - `percentile` percent at each end.

    With a symmetric scheme, values are left out by their magnitude.
    """

    def __init__(self, *, percentile: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.percentile = percentile

    def range(self) -> tuple[Any, Any]:
        values, counts = self.distribution()
        kept = self.percentile / 100
        if self.qscheme == torch.per_tensor_symmetric:
            order = values.abs().argsort()
            reach = _at_share(values.abs()[order], counts[order], kept)
            return torch.maximum(-reach, self.lowest), torch.minimum(reach, self.highest)
        left_out = (1 - kept) / 2
        low = -_at_share(-values.flip(0), counts.flip(0), 1 - left_out)
        return low, _at_share(values, counts, 1 - left_out)


class SquareErrorObserver(_DistributionObserver):
    """Takes the range with the least mean square error of the rounded and clipped values."""

    def range(self) -> tuple[Any, Any]:
        values, counts = self.distribution()
        ends = [min(float(self.lowest), 0.0), max(float(self.highest), 0.0)]
        if self.qscheme == torch.per_tensor_symmetric:
            ends = [-max(-ends[0], ends[1]), max(-ends[0], ends[1])]
            best = min(_shares(), key=lambda share: self._error(values, counts, ends[0] * share, ends[1] * share))
            return torch.tensor(ends[0] * best), torch.tensor(ends[1] * best)
        share = [1.0, 1.0]
        for _ in range(_ROUNDS):
            for end in (0, 1):
                tried = [[*share[:end], candidate, *share[end + 1 :]] for candidate in _shares()]
                share = min(tried, key=lambda s: self._error(values, counts, ends[0] * s[0], ends[1] * s[1]))
        return torch.tensor(ends[0] * share[0]), torch.tensor(ends[1] * share[1])

    def _error(self, values: Any, counts: Any, low: float, high: float) -> float:
        scale, zero_point = (float(part) for part in self._calculate_qparams(torch.tensor(low), torch.tensor(high)))
        steps = ((values / scale).round() + zero_point).clamp(self.quant_min, self.quant_max)
        return float((((steps - zero_point) * scale - values).square() * counts).sum())


def _shares() -> list[float]:
    """Return the shares of an end that are tried, the whole first, so that it wins a tie."""
    return [1 - (1 - _SMALLEST_SHARE) * step / (_SHARES - 1) for step in range(_SHARES)]


def _at_share(values: Any, counts: Any, share: float) -> Any:
    """Return the value that `share` of all values do not exceed. values: ascending."""
    total = counts.cumsum(0)
    # The small difference keeps a share of 1 from being missed by rounding.
    place = int(torch.searchsorted(total, share * float(total[-1]) * (1 - 1e-12)))
    return values[min(place, len(values) - 1)].float()
