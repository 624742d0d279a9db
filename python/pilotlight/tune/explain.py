# SPDX-License-Identifier: Apache-2.0
"""Says why no recipe fits: what shares a scale, which operators lose most, what an NPU refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilotlight.export.blame.record import FP32, Blame, ResultBlame
from pilotlight.tune.goal import Goal
from pilotlight.tune.record import REFUSED, Judged

_LISTED = 3
# A loss that may be chance is not worth naming.
_LOSS_DB = 1.0


def reasons(judged: Sequence[Judged], best: Judged | None, losses: Blame | None, goal: Goal) -> tuple[str, ...]:
    """Return sentences on why none of the trials fits, the most helpful first.

    best: the most accurate trial. losses: of its recipe.
    """
    if best is None:
        refused = list(_refused(judged))
        return ("no recipe could be built", *refused)
    found: list[str] = []
    quality = best.trial.quality
    assert quality is not None
    accurate = [one for one in judged if one.trial.costs and one.trial.quality and _is_accurate(one, goal)]
    if accurate:
        least = min(accurate, key=lambda one: goal.value(one.trial))
        found.append(
            f"the tolerance is reached, but not within the budget ({goal.budget}): the nearest is "
            f"{least.trial.recipe}, {least.verdict}"
        )
        return (*found, *_refused(judged))
    worst = quality.worst
    if worst is not None and worst.axis is not None:
        found.append(
            f"output '{worst.output}' holds values up to {worst.whole:.3g} and, at index {worst.index} of axis "
            f"{worst.axis}, up to {worst.largest:.3g}, on one scale: return them as two outputs"
        )
    elif worst is not None and losses is not None and not worst_losses(losses):
        found.append(f"output '{worst.output}' loses a little at each operator, and no operator stands out")
    if losses is not None:
        found += [f"{place(row)} loses {row.loss_db:.0f} dB with the best recipe" for row in worst_losses(losses)]
    return (*found, *_refused(judged))


def worst_losses(losses: Blame, count: int = _LISTED) -> list[ResultBlame]:
    """Return the operators that lose most by quantising, the worst first."""
    rows = [row for row in losses.results if row.loss_db > _LOSS_DB]
    return sorted(rows, key=lambda row: -row.loss_db)[:count]


def place(row: ResultBlame) -> str:
    """Return the operator with its line, "softmax at net.py:12 (module head)"."""
    where = f" at {row.where.rpartition('/')[2]}" if row.where else ""
    return f"{row.operator}{where}" + (f" (module {row.module})" if row.module else "")


def sqnr_of(row: ResultBlame) -> float | None:
    """Return the SQNR of a result against FP32, None if nothing differs."""
    return next((found.sqnr_db for found in row.agreements if found.against == FP32), None)


def _is_accurate(one: Judged, goal: Goal) -> bool:
    return one.trial.quality is not None and goal.tolerance.shortfall(one.trial.quality) <= 0


def _refused(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield why recipes were refused, once for each reason."""
    seen = set()
    for one in judged:
        if one.trial.stage != REFUSED:
            continue
        first = one.trial.reason.splitlines()[0] if one.trial.reason else ""
        kind = first.rpartition("cannot run on ")[2]
        if kind not in seen:
            seen.add(kind)
            yield f"refused: {first}"
