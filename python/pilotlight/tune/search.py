# SPDX-License-Identifier: Apache-2.0
"""One process's part of a search: it takes recipes and tries each in two stages."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pilotlight.errors import ModelError, PilotlightError, StorageFull
from pilotlight.recipe import Recipe
from pilotlight.tune.candidates import Candidates
from pilotlight.tune.goal import Goal
from pilotlight.tune.record import EXPORTED, REFUSED, SCREENED, Quality, Trial
from pilotlight.tune.space import Space
from pilotlight.tune.study import SharedStudy
from pilotlight.tune.wording import quality_text, trial_line

# Without a recipe within the tolerance, one that is this much better than all exported ones is
# exported.
_BETTER_DB = 1.0


def search(
    study: SharedStudy,
    space: Space,
    candidates: Candidates,
    goal: Goal,
    limit: int,
    until: float | None,
    processes: int,
    tell: Callable[[str], None],
) -> bool:
    """Try recipes until `limit` are tried by all processes together. Return whether it came so far.

    until: the time, as `time.monotonic` counts it, after which no trial starts. processes: for the
    estimate of the time that is left.

    A trial that an exception interrupts is offered again.
    """
    while until is None or time.monotonic() < until:
        study.offer_cut_again()
        claim = study.claim(space, limit)
        if claim is None:
            return True
        try:
            trial = _tried(claim.number, claim.recipe, study.results(), candidates, goal, tell)
        except BaseException:
            study.give_back(claim)
            raise
        study.finish(claim, trial, goal.value(trial))
        results = study.results()
        (judged,) = goal.judge([trial])
        tell(f"{len(results):3} of {limit}  {trial_line(trial, judged.verdict)}{_left(results, limit, processes)}")
    return study.taken() >= limit


def _tried(
    number: int,
    recipe: Recipe,
    results: Sequence[Trial],
    candidates: Candidates,
    goal: Goal,
    tell: Callable[[str], None],
) -> Trial:
    start = time.monotonic()
    screened = None
    try:
        with suppress(ModelError):
            screened = candidates.screen(recipe)
        screen_seconds = time.monotonic() - start
        if screened is not None:
            reason = _why_not_exported(recipe, screened, results, candidates, goal)
            if reason:
                return Trial(number, str(recipe), SCREENED, screened, screened, None, reason, screen_seconds)
            tell(f"      {recipe}: {quality_text(screened)} in quantised PyTorch, exporting")
        # ExecuTorch splits Vela's arguments at blanks, so this folder is not below the user's.
        with tempfile.TemporaryDirectory(prefix="pilotlight-tune-") as folder:
            quality, costs = candidates.export(recipe, Path(folder) / "bundle", lambda _: None)
    except StorageFull:
        raise
    except PilotlightError as error:
        return Trial(number, str(recipe), REFUSED, reason=str(error), screen_seconds=time.monotonic() - start)
    seconds = time.monotonic() - start - screen_seconds
    return Trial(number, str(recipe), EXPORTED, quality, screened, costs, "", screen_seconds, seconds)


def _why_not_exported(
    recipe: Recipe, screened: Quality, results: Sequence[Trial], candidates: Candidates, goal: Goal
) -> str:
    """Return why quantised PyTorch is enough to judge a recipe, "" if it must be exported."""
    if str(recipe) == str(candidates.own_recipe):
        return ""
    exported = [trial for trial in results if trial.stage == EXPORTED and trial.quality is not None]
    if goal.tolerance.shortfall(screened) <= goal.tolerance.slack:
        return _no_gain(recipe, screened, exported, candidates, goal)
    if any(trial.quality is not None and goal.tolerance.shortfall(trial.quality) <= 0 for trial in exported):
        return "quantised PyTorch misses the tolerance"
    best = max((trial.quality.decibels for trial in exported if trial.quality is not None), default=float("-inf"))
    return "" if screened.decibels > best + _BETTER_DB else "quantised PyTorch is no better than an exported recipe"


def _no_gain(recipe: Recipe, screened: Quality, exported: Sequence[Trial], candidates: Candidates, goal: Goal) -> str:
    """Return which exported recipe makes an accurate one needless, "" if none does.

    Such a recipe is within tolerance and nowhere wider, so it takes no more cycles and RAM, and it
    is as accurate. The size of a .pte has other causes, too.
    """
    if goal.minimise == "flash" or goal.budget.flash:
        return ""
    mine = candidates.widths(recipe)
    for trial in exported:
        assert trial.quality is not None
        other = trial.screened or trial.quality
        if goal.tolerance.shortfall(trial.quality) > 0 or screened.decibels > other.decibels + _BETTER_DB:
            continue
        if goal.tolerance.shortfall(other) > goal.tolerance.shortfall(screened) and goal.tolerance.needs_metric:
            continue
        theirs = candidates.widths(Recipe.parse(trial.recipe))
        if all(a <= x and b <= y for (a, b), (x, y) in zip(theirs, mine, strict=True)):
            return f"no gain over {trial.recipe}"
    return ""


def _left(results: Sequence[Trial], limit: int, processes: int) -> str:
    """Return an estimate of the time that the other trials take."""
    left = limit - len(results)
    mean = sum(trial.screen_seconds + trial.export_seconds for trial in results) / max(1, len(results))
    seconds = left * mean / processes
    if left <= 0:
        return ""
    return f"  (some {seconds / 60:.0f} min left)" if seconds >= 90 else f"  (some {seconds:.0f} s left)"
