# SPDX-License-Identifier: Apache-2.0
"""Reduces the accuracy of all outputs to that of the worst part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pilotlight.export.report.report import SliceAccuracy
from pilotlight.tune.record import Part

# A slice whose largest value is below this share of the output's largest is a part of its own: the
# SQNR of the whole output would hide it. Such a slice shares the output's scale by accident, like
# scores beside boxes.
_OF_ANOTHER_MAGNITUDE = 1 / 8


@dataclass(frozen=True)
class OutputQuality:
    """One output against FP32. largest: its largest absolute value in FP32.

    The other fields: see `OutputAccuracy`.
    """

    name: str
    sqnr_db: float | None
    worst_slices: tuple[SliceAccuracy, ...]
    largest: float


def worst_part(outputs: Sequence[OutputQuality]) -> tuple[float | None, Part | None]:
    """Return the SQNR of the worst part in dB, and the part; (None, None) if nothing differs."""
    return min(_parts(outputs), key=lambda pair: pair[0], default=(None, None))


def _parts(outputs: Sequence[OutputQuality]) -> Iterator[tuple[float, Part]]:
    for output in outputs:
        if output.sqnr_db is not None:
            yield output.sqnr_db, Part(output.name, output.largest, output.largest)
        for one in output.worst_slices:
            if one.largest < output.largest * _OF_ANOTHER_MAGNITUDE:
                yield one.sqnr_golden_db, Part(output.name, one.largest, output.largest, one.axis, one.index)
