# SPDX-License-Identifier: Apache-2.0
"""Finds outputs that are wrong without an error, and reasons why a check could not fail.

The export reports these findings, and the check repeats them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import EXACT, TensorInfo, Tolerance
from pilotlight.export.report.accuracy import lost_rows, real
from pilotlight.export.report.report import SQNR_LIMIT_DB, InputData, OutputAccuracy

Array = NDArray[Any]

# Shares of the data set's values outside the calibrated range. At the first share or above, there
# is a warning. At the second share or above, the check is weak, because too many inputs are
# clipped.
_WARN_OUTSIDE = 0.01
_WEAK_OUTSIDE = 0.5
# Share of the rows along an axis that are the same in all golden outputs. At this share or above,
# the check is weak, because it does not cover much of the output.
_WEAK_LOST_ROWS = 0.1
# A slice below this many steps of the output's scale is lost because other values are larger.
_FEW_STEPS = 16


@dataclass(frozen=True)
class Origin:
    """The origin of an output.

    operator: the operator that made it, "cat at net.py:12: return torch.cat(...)"; "" if unknown.
    depends_on_input: whether it depends on any input or state. An output without such a dependence
        is the same for all samples by design.
    """

    operator: str
    depends_on_input: bool


@dataclass(frozen=True)
class Findings:
    """Full sentences. warnings: about the accuracy. weak: reasons why a check could not fail."""

    warnings: tuple[str, ...]
    weak: tuple[str, ...]


def findings(
    inputs: Sequence[InputData],
    infos: Sequence[TensorInfo],
    outputs: Sequence[OutputAccuracy],
    origins: Sequence[Origin],
    arrays: dict[str, Array],
    tolerances: Sequence[Tolerance] = (),
) -> Findings:
    """Judge the samples and the outputs.

    arrays: the arrays of golden.npz. tolerances: one for each output; without them all are exact.
    """
    warnings, weak = _of_inputs(inputs, arrays)
    integers_alone = not any(_is_real(info) for info in infos)
    for index, (info, output, origin) in enumerate(zip(infos, outputs, origins, strict=True)):
        fp32, stored = arrays[f"fp32_{index}"], arrays[f"golden_{index}"]
        golden = real(stored, info)
        same = len(stored) > 1 and _first_would_pass(stored, tolerances[index] if tolerances else EXACT)
        warnings += _inaccurate(info, output, origin)
        # A class or a count may be the same in a few samples, although the scores differ.
        (weak if _is_real(info) or integers_alone else warnings).extend(_unchanging(info, origin, fp32, same=same))
        if _is_real(info) and not same:
            more, weaker = _lost(info, origin, fp32, golden)
            warnings += more
            weak += weaker
    return Findings(tuple(warnings), tuple(weak))


def _of_inputs(inputs: Sequence[InputData], arrays: dict[str, Array]) -> tuple[list[str], list[str]]:
    warnings, weak = [], []
    for given in inputs:
        if given.not_finite:
            weak.append(
                f"input {given.name!r} has NaN or infinity in {_of(given.not_finite, given.samples, 'sample')}, "
                "which integers cannot represent: correct the data set"
            )
        if given.zero and given.samples > 1:
            warnings.append(
                f"input {given.name!r} is all zeros in {_of(given.zero, given.samples, 'sample')} of the data set"
            )
        if given.share_outside >= _WARN_OUTSIDE:
            text = (
                f"input {given.name!r}: {given.share_outside:.1%} of the values are outside the calibrated range "
                f"{given.lowest:.4g} to {given.highest:.4g}, by up to {given.farthest:.3g} times that range: scale the "
                "data set as in training, or calibrate with samples like these"
            )
            (weak if given.share_outside >= _WEAK_OUTSIDE else warnings).append(text)
    # With equal inputs, outputs that differ depend on state, so the check could still fail.
    values = [values for name, values in arrays.items() if name.startswith(("input_", "golden_"))]
    if values and len(values[0]) > 1 and all(_is_the_same(value) for value in values):
        weak.append(f"all {len(values[0])} samples of the data set are the same")
    return warnings, weak


def _inaccurate(info: TensorInfo, output: OutputAccuracy, origin: Origin) -> list[str]:
    """Return a warning if the whole output or a slice is below SQNR_LIMIT_DB."""
    whole = output.sqnr_golden_db
    worst = min(output.worst_slices, key=lambda found: found.sqnr_golden_db, default=None)
    made = f"; made by {origin.operator}" if origin.operator else ""
    if worst is not None and worst.sqnr_golden_db < SQNR_LIMIT_DB and (whole is None or whole >= SQNR_LIMIT_DB):
        remedy = "the operators before it lose these values: calibrate with more samples like those of the data set"
        if info.scale and worst.largest < _FEW_STEPS * info.scale:
            remedy = (
                f"FP32 has at most {worst.largest:.3g} there and one step of the output is {info.scale:.3g}: return "
                "parts of different magnitude as separate outputs, so that each has its own scale"
            )
        return [
            f"{output.name}: {_of(worst.below_limit, worst.slices, 'slice')} along axis {worst.axis} below "
            f"{SQNR_LIMIT_DB:g} dB, the worst at index {worst.index} with {worst.sqnr_golden_db:.1f} dB{made}; {remedy}"
        ]
    if whole is not None and whole < SQNR_LIMIT_DB:
        return [
            f"{output.name}: SQNR {whole:.1f} dB is below {SQNR_LIMIT_DB:g} dB{made}; look for values of very "
            "different magnitude in one tensor before it, and calibrate with more samples like those of the data set"
        ]
    return []


def _unchanging(info: TensorInfo, origin: Origin, fp32: Array, *, same: bool) -> list[str]:
    found = []
    if not np.isfinite(fp32).all():
        rows = int((~np.isfinite(fp32.reshape(len(fp32), -1)).all(axis=1)).sum())
        found.append(f"{info.name}: FP32 gives NaN or infinity in {_of(rows, len(fp32), 'sample')}")
    if _is_real(info) and fp32.size and not fp32.any():
        found.append(f"{info.name}: FP32 gives only zeros: check the weights and the data set")
    elif same and origin.depends_on_input:
        found.append(
            f"{info.name} is the same in all {len(fp32)} golden outputs, as far as a check compares them, so a device "
            "that ignores its input would pass: check the data set, and the accuracy against FP32"
        )
    return found


def _is_real(info: TensorInfo) -> bool:
    """Whether the output represents real numbers, not classes, counts or Booleans."""
    return bool(info.scale) or np.issubdtype(np.dtype(info.dtype), np.floating)


def _lost(info: TensorInfo, origin: Origin, fp32: Array, golden: Array) -> tuple[list[str], list[str]]:
    """Return warnings and weak reasons about rows and samples lost in golden and not in FP32."""
    if len(golden) == 1 and not golden.any() and fp32.any():
        return [], [f"{info.name}: the golden output is all zeros, but the FP32 output is not"]
    weak: list[str] = []
    warnings: list[str] = []
    for axis, rows in lost_rows(info, fp32, golden).items():
        along = info.shape[axis]
        lost = golden.take(rows, axis=axis + golden.ndim - len(info.shape))
        text = (
            f"{info.name}: {_of(len(rows), along, 'row')} along axis {axis}, the first at index {rows[0]}, are "
            f"{'the same' if lost.any() else 'zero'} in all golden outputs but not in FP32, so a device that computes "
            "nothing there would pass"
        )
        (weak if len(rows) >= _WEAK_LOST_ROWS * along else warnings).append(text)
    if origin.depends_on_input and len(golden) > 1:
        flat = golden.reshape(len(golden), -1), fp32.reshape(len(fp32), -1)
        samples = int((~flat[0].any(axis=1) & flat[1].any(axis=1)).sum())
        if samples:
            warnings.append(f"{info.name} is all zeros in {_of(samples, len(golden), 'golden output')}, not in FP32")
    return warnings, weak


def _first_would_pass(golden: Array, tolerance: Tolerance) -> bool:
    """Whether a check would accept the first golden output in place of each of the others."""
    difference = np.abs(golden.astype(np.float64) - golden[:1])
    return bool((difference <= tolerance.max_difference).all()) and np.count_nonzero(difference) <= (
        tolerance.max_share * golden.size
    )


def _is_the_same(rows: Array) -> bool:
    return bool((rows == rows[:1]).all())


def _of(count: int, all_of_them: int, what: str) -> str:
    return f"{count:,} of {all_of_them:,} {what}" + "s" * (all_of_them != 1)
