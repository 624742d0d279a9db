# SPDX-License-Identifier: Apache-2.0
"""Finds the places of a model that recipes may set apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilotlight.errors import ConfigError
from pilotlight.export.blame.record import Blame, ResultBlame
from pilotlight.export.quantising.annotations import Choices, without_overload
from pilotlight.export.quantising.runnable import Rule, rules_for
from pilotlight.recipe import GROUPS, OBSERVERS, PRECISIONS, Recipe
from pilotlight.tune.candidates import Candidates
from pilotlight.tune.space import AS_ELSEWHERE, NARROW, OBSERVER, PRECISION, WIDE, Space

# The modules that have an axis of their own.
_MODULES = 3
# An operator that loses less than this is not worth a place.
_LOSS_DB = 1.0


def space_of(candidates: Candidates, losses: Blame, npu: str) -> Space:
    """Return the space of a model. losses: of the default recipe."""
    choices = candidates.choices(Recipe())
    restricted = {place: NARROW for rule in rules_for(npu) for place in _places(rule, choices)}
    words = [word for word in choices.words if word not in restricted]
    rows = sorted((row for row in losses.results if row.loss_db > _LOSS_DB), key=lambda row: -row.loss_db)
    modules = dict.fromkeys(f"name.{row.module}" for row in rows if row.module)
    named = [place for place in modules if _is_setting(candidates, place)][:_MODULES]
    losers = dict.fromkeys(place for row in rows for place in _places_of(row, words, named))
    axes: dict[str, tuple[str, ...]] = {PRECISION: tuple(PRECISIONS), OBSERVER: OBSERVERS}
    axes |= dict.fromkeys((*words, *named), (AS_ELSEWHERE, NARROW, WIDE))
    axes |= dict.fromkeys(restricted, (AS_ELSEWHERE, NARROW))
    return Space(axes, restricted, tuple(losers))


def _places(rule: Rule, choices: Choices) -> Sequence[str]:
    """Return the places of a model that a rule is about."""
    if rule.operators == GROUPS["matmul"]:
        return ("matmul",) if "matmul" in choices.words else ()
    return sorted(rule.operators & choices.names)


def _places_of(row: ResultBlame, words: Sequence[str], named: Sequence[str]) -> Iterator[str]:
    """Yield the places with which a setting reaches an operator."""
    name = without_overload(row.operator)
    yield from (word for word in words if name in GROUPS.get(word, ()))
    if f"name.{row.module}" in named:
        yield f"name.{row.module}"


def _is_setting(candidates: Candidates, where: str) -> bool:
    """Whether a setting can name this place, because some paths of modules have no spelling."""
    try:
        candidates.choices(Recipe(settings={where: WIDE}))
    except ConfigError:
        return False
    return True
