# SPDX-License-Identifier: Apache-2.0
"""The recipes that a search chooses from, for one model.

A recipe is a point with one choice on each axis: the precision, the observer, and the width at each
place. A place is a word of recipes that reaches something in this model, or one of the modules that
lose most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pilotlight.recipe import INPUTS, OBSERVERS, OUTPUTS, PRECISIONS, RESIDUALS, Recipe, Setting

PRECISION, OBSERVER = "precision", "observer"
NARROW, WIDE = "int8", "a16w8"
AS_ELSEWHERE = ""
_GREEDY = 6

Point = Mapping[str, str]


@dataclass(frozen=True)
class Guess:
    """A recipe to try before the sampler proposes any.

    point: None if the space does not have it.
    """

    recipe: Recipe
    point: Point | None


@dataclass(frozen=True)
class Space:
    """axes: name -> choices.

    restricted: place -> the precision that the NPU runs there, whatever the rest has.
    losers: the places that lose most, in this order.
    """

    axes: Mapping[str, tuple[str, ...]]
    restricted: Mapping[str, str]
    losers: tuple[str, ...]

    def recipe(self, point: Point) -> Recipe:
        """Return the recipe of a point. Settings without effect are left out."""
        base = point.get(PRECISION, NARROW)
        settings = tuple(
            Setting.of(place, how)
            for place in self.axes
            if place not in (PRECISION, OBSERVER)
            and (how := point.get(place, AS_ELSEWHERE))
            and (how != base or place in self.restricted)
        )
        return Recipe(base, point.get(OBSERVER, Recipe.observer), settings)

    def point(self, recipe: Recipe) -> Point | None:
        """Return the point of a recipe, None if the space does not have it."""
        point = dict.fromkeys(self.axes, AS_ELSEWHERE) | {PRECISION: recipe.precision, OBSERVER: recipe.observer}
        point |= {setting.where: setting.precision for setting in recipe.exceptions}
        if any(name not in self.axes or choice not in self.axes[name] for name, choice in point.items()):
            return None
        return point if str(self.recipe(point)) == str(recipe) else None

    def guesses(self, own: Recipe) -> Iterator[Guess]:
        """Yield recipes, the best first: the model's own, the fixed precisions, 16 bits where most
        is lost, presets, observers, and narrow weights."""
        yield Guess(own, self.point(own))
        points: list[dict[str, str]] = [{}, {PRECISION: WIDE}, self._runnable(WIDE)]
        points += [dict.fromkeys(self.losers[:count], WIDE) for count in range(1, len(self.losers[:_GREEDY]) + 1)]
        places = set(self.axes)
        presets = [place for place in ("norms", "softmax", RESIDUALS) if place in places]
        points += [{place: WIDE} for place in (*presets, OUTPUTS)]
        points += [dict.fromkeys((*presets, OUTPUTS), WIDE)] if presets else []
        points += [{**self._runnable(WIDE), INPUTS: NARROW, OUTPUTS: NARROW}]
        points += [{OBSERVER: observer} for observer in OBSERVERS if observer != Recipe.observer]
        points += [{**self._runnable(WIDE), OBSERVER: "minmax"}]
        points += [self._runnable(base) for base in PRECISIONS if base not in (NARROW, WIDE)]
        seen = {str(own)}
        for given in points:
            if any(name not in self.axes or choice not in self.axes[name] for name, choice in given.items()):
                continue
            point = dict.fromkeys(self.axes, AS_ELSEWHERE) | {PRECISION: NARROW, OBSERVER: Recipe.observer} | given
            recipe = self.recipe(point)
            if str(recipe) not in seen:
                seen.add(str(recipe))
                yield Guess(recipe, point)

    def _runnable(self, base: str) -> dict[str, str]:
        return {PRECISION: base, **(self.restricted if base != NARROW else {})}
