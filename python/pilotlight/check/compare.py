# SPDX-License-Identifier: Apache-2.0
"""Compares outputs with the golden outputs (bits or tolerance) and with labels (classes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import EXACT, Tolerance

Array = NDArray[Any]


@dataclass(frozen=True)
class Mismatched:
    """One output of one sample that is wrong."""

    sample: int
    output: int
    differing: int
    elements: int
    first_index: tuple[int, ...]
    expected: float
    got: float
    max_difference: float

    def __str__(self) -> str:
        return (
            f"sample {self.sample}, output {self.output}: {self.differing} of {self.elements} elements differ; the "
            f"first is at {list(self.first_index)}: expected {self.expected:g}, got {self.got:g}; "
            f"largest difference {self.max_difference:g}"
        )


@dataclass(frozen=True)
class Compared:
    """One output of all samples.

    tolerated: samples that are not bit-identical, but within the output's tolerance.
    differing: the number of values, out of `elements`, that are not bit-identical.
    max_difference: the largest difference in a tolerated sample.
    """

    mismatches: tuple[Mismatched, ...]
    tolerated: frozenset[int]
    differing: int
    elements: int
    max_difference: float


@dataclass(frozen=True)
class Rounding:
    """The differences between two references over a whole data set."""

    differing: int
    elements: int
    samples_touched: int
    max_difference: float


@dataclass(frozen=True)
class Accuracy:
    """Numbers of correct answers out of `samples`, by origin of the answers.

    The answer is output 0's largest value.
    """

    samples: int
    device: int
    golden: int
    quantised: int
    fp32: int

    def points(self, correct: int) -> float:
        """Return the accuracy in percent for `correct` correct answers."""
        return 100.0 * correct / self.samples


def differing(a: Array, b: Array) -> NDArray[np.bool_]:
    """Return where the bits differ. A NaN equals itself, and 0.0 differs from -0.0."""
    raw = f"u{a.dtype.itemsize}"
    different: NDArray[np.bool_] = np.ascontiguousarray(a).view(raw) != np.ascontiguousarray(b).view(raw)
    return different


def compare_sample(sample: int, output: int, expected: Array, got: Array) -> Mismatched | None:
    """Return None if `got` is bit-identical to `expected`. Both have the output's shape."""
    wrong = differing(expected, got)
    if not wrong.any():
        return None
    first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return Mismatched(
        sample=sample,
        output=output,
        differing=int(wrong.sum()),
        elements=int(wrong.size),
        first_index=tuple(int(i) for i in first),
        expected=float(expected[first]),
        got=float(got[first]),
        max_difference=_largest(expected, got),
    )


def compare_output(output: int, expected: Array, got: Array, tolerance: Tolerance = EXACT) -> Compared:
    """Compare all samples, [samples, ...].

    If more values differ than the tolerance allows, each sample that differs is a mismatch.
    """
    mismatches: list[Mismatched] = []
    tolerated: list[Mismatched] = []
    for sample, (want, have) in enumerate(zip(expected, got, strict=True)):
        found = compare_sample(sample, output, want, have)
        if found is not None:
            (tolerated if _is_within(want, have, tolerance) else mismatches).append(found)
    differing_values = sum(found.differing for found in (*mismatches, *tolerated))
    elements = int(expected.size)
    if sum(found.differing for found in tolerated) > tolerance.max_share * elements:
        mismatches, tolerated = sorted((*mismatches, *tolerated), key=lambda found: found.sample), []
    return Compared(
        mismatches=tuple(mismatches),
        tolerated=frozenset(found.sample for found in tolerated),
        differing=differing_values,
        elements=elements,
        max_difference=max((found.max_difference for found in tolerated), default=0.0),
    )


def _is_within(expected: Array, got: Array, tolerance: Tolerance) -> bool:
    """Whether each difference is within the tolerance, and NaN and infinity are as expected."""
    wide = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(wide[0]) & np.isfinite(wide[1])
    special = ((wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1])))[~finite]
    near = np.abs(wide[0][finite] - wide[1][finite]) <= tolerance.max_difference
    return bool(special.all()) and bool(near.all())


def rounding(golden: tuple[Array, ...], quantised: tuple[Array, ...]) -> Rounding:
    """Count where the TOSA reference and quantised PyTorch disagree."""
    wrong = [differing(a, b) for a, b in zip(golden, quantised, strict=True)]
    touched = np.zeros(len(golden[0]), dtype=bool)
    for one in wrong:
        touched |= one.reshape(len(one), -1).any(axis=1)
    return Rounding(
        differing=int(sum(one.sum() for one in wrong)),
        elements=int(sum(one.size for one in wrong)),
        samples_touched=int(touched.sum()),
        max_difference=max(_largest(a, b) for a, b in zip(golden, quantised, strict=True)),
    )


def classes(scores: Array) -> NDArray[np.int64]:
    """Return the class of each sample: the index of the first largest score."""
    return np.asarray(scores.reshape(len(scores), -1).argmax(axis=1), dtype=np.int64)


def accuracy(labels: Array, device: Array, golden: Array, quantised: Array, fp32: Array) -> Accuracy:
    """Count the correct answers of each origin. labels: [samples]; scores: output 0, [samples,
    ...]."""

    def correct(scores: Array) -> int:
        return int((classes(scores) == labels).sum())

    return Accuracy(len(labels), correct(device), correct(golden), correct(quantised), correct(fp32))


def _largest(a: Array, b: Array) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0))
