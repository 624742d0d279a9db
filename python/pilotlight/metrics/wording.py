# SPDX-License-Identifier: Apache-2.0
"""The sentences about metrics in reports."""

from __future__ import annotations

from pilotlight.metrics.changes import Changes

_SHARES = frozenset({"top-1", "top-5", "mIoU", "mAP@0.5", "word error rate"})
_SHOWN = 3


def figure(name: str, value: float) -> str:
    """Return a metric's value for a reader.

    >>> figure("top-1", 0.5), figure("perplexity", 3.14159)
    ('50.00 %', '3.142')
    """
    return f"{100 * value:.2f} %" if name in _SHARES else f"{value:.4g}"


def difference(name: str, value: float, reference: float) -> str:
    """Return the difference to a reference, in points for shares.

    >>> difference("top-1", 0.99, 1.0), difference("RMSE", 1.1, 1.0)
    ('-1.00 points', '+0.1 (+10.00 %)')
    """
    if name in _SHARES:
        return f"{100 * (value - reference):+.2f} points"
    share = f" ({100 * (value - reference) / abs(reference):+.2f} %)" if reference else ""
    return f"{value - reference:+.3g}{share}"


def told_changes(changes: Changes, before: str, after: str) -> str:
    """Return a sentence on the samples whose answer changed."""
    if not changes.count:
        return f"no sample's {changes.what} changes from {before} to {after}"
    shown = "; ".join(str(changed) for changed in changes.worst[:_SHOWN])
    more = f"; and {changes.count - _SHOWN} more" if changes.count > _SHOWN else ""
    return f"{changes.what} changes from {before} to {after} in {changes.count} of {changes.samples}: {shown}{more}"
