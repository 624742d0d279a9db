# SPDX-License-Identifier: Apache-2.0
"""Areas are in proportion to sizes, inside their frame, and never overlap."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.size.treemap import Node, Rectangle, lay_out, squarify

PLACE = Rectangle(10.0, 20.0, 300.0, 200.0)


@given(st.lists(st.integers(1, 1 << 20), min_size=1, max_size=40))
def test_areas_are_in_proportion_and_fill_the_place_without_overlap(sizes: list[int]) -> None:
    sizes.sort(reverse=True)
    rectangles = squarify(sizes, PLACE)
    whole = PLACE.width * PLACE.height
    for size, place in zip(sizes, rectangles, strict=True):
        assert place.width * place.height == pytest.approx(whole * size / sum(sizes))
        assert _inside(place, PLACE)
    assert not any(_overlap(one, other) for one, other in combinations(rectangles, 2))


def test_rectangles_are_closer_to_squares_than_slices_would_be() -> None:
    for place in squarify([6, 6, 4, 3, 2, 2, 1], Rectangle(0, 0, 6, 4)):
        assert 1 / 4 < place.width / place.height < 4


def test_children_lie_inside_of_their_parent_and_name_the_way_to_them() -> None:
    tree = (Node("runtime", 300, (Node("a", 200), Node("b", 100))), Node("app", 100))
    boxes = {box.path: box for box in lay_out(tree, PLACE)}
    assert boxes.keys() == {("runtime",), ("runtime", "a"), ("runtime", "b"), ("app",)}
    for name in "ab":
        assert _inside(boxes["runtime", name].place, boxes["runtime",].place)


def test_what_is_too_small_to_tell_apart_is_not_drawn() -> None:
    tree = (Node("large", 100_000), Node("small", 10, (Node("inner", 10),)))
    boxes = list(lay_out(tree, PLACE))
    assert [box.path for box in boxes] == [("large",), ("small",)]
    assert not boxes[1].open


def _inside(inner: Rectangle, outer: Rectangle) -> bool:
    slack = 1e-6 * max(outer.width, outer.height)
    return (
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
    )


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    slack = 1e-6
    return (
        one.x + slack < other.x + other.width
        and other.x + slack < one.x + one.width
        and one.y + slack < other.y + other.height
        and other.y + slack < one.y + one.height
    )
