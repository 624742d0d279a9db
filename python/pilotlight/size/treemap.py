# SPDX-License-Identifier: Apache-2.0
"""Lays a tree of sizes out as nested rectangles whose areas are the sizes.

Each level is laid out in rows along the shorter side, with as many rectangles to a row as keep them closest to squares
(Bruls, Huizing, van Wijk: Squarified Treemaps).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Room for a frame's name, and between frames.
HEAD, EDGE = 17.0, 2.0
# Smaller frames do not show what is in them: nothing could be told apart.
_LEAST_WIDTH, _LEAST_HEIGHT = 26.0, 30.0


@dataclass(frozen=True)
class Node:
    """size: at least the sum of the children's."""

    name: str
    size: int
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Box:
    """A node's place. path: its names from the outermost on. open: whether its children are drawn in it."""

    place: Rectangle
    path: tuple[str, ...]
    size: int
    open: bool

    @property
    def depth(self) -> int:
        return len(self.path) - 1


def lay_out(nodes: Sequence[Node], place: Rectangle, path: tuple[str, ...] = ()) -> Iterator[Box]:
    """Yield the nodes' boxes, each before those inside of it."""
    ordered = sorted((node for node in nodes if node.size > 0), key=lambda node: (-node.size, node.name))
    for node, outer in zip(ordered, squarify([node.size for node in ordered], place), strict=True):
        inner = Rectangle(
            outer.x + EDGE, outer.y + HEAD, max(0.0, outer.width - 2 * EDGE), max(0.0, outer.height - HEAD - EDGE)
        )
        is_open = bool(node.children) and outer.width >= _LEAST_WIDTH and outer.height >= _LEAST_HEIGHT
        yield Box(outer, (*path, node.name), node.size, is_open)
        if is_open:
            yield from lay_out(node.children, inner, (*path, node.name))


def squarify(sizes: Sequence[int], place: Rectangle) -> list[Rectangle]:
    """Divide `place` among sizes that do not grow, in proportion to them.

    >>> squarify([3, 1], Rectangle(0, 0, 4, 1))
    [Rectangle(x=0, y=0, width=3.0, height=1.0), Rectangle(x=3.0, y=0, width=1.0, height=1.0)]
    """
    found: list[Rectangle] = []
    rest = place
    start = 0
    while start < len(sizes):
        scale = rest.width * rest.height / sum(sizes[start:])
        side = min(rest.width, rest.height)
        count = 1
        while start + count < len(sizes) and _worst(sizes[start : start + count + 1], scale, side) <= _worst(
            sizes[start : start + count], scale, side
        ):
            count += 1
        row, rest = _row(sizes[start : start + count], scale, rest)
        found += row
        start += count
    return found


def _worst(row: Sequence[int], scale: float, side: float) -> float:
    """Return the largest ratio of sides in a row along `side`."""
    area = sum(row) * scale
    if area <= 0 or side <= 0:
        return 1.0
    thickness = area / side
    return max(max(thickness**2 / (size * scale), size * scale / thickness**2) for size in (row[0], row[-1]))


def _row(row: Sequence[int], scale: float, place: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """Fill the shorter side of `place`; return what was laid out, and what is left."""
    area = sum(row) * scale
    found: list[Rectangle] = []
    if place.width >= place.height:
        thickness = area / place.height if place.height else 0.0
        y = place.y
        for size in row:
            height = size * scale / thickness if thickness else 0.0
            found.append(Rectangle(place.x, y, thickness, height))
            y += height
        return found, Rectangle(place.x + thickness, place.y, max(0.0, place.width - thickness), place.height)
    thickness = area / place.width if place.width else 0.0
    x = place.x
    for size in row:
        width = size * scale / thickness if thickness else 0.0
        found.append(Rectangle(x, place.y, width, thickness))
        x += width
    return found, Rectangle(place.x, place.y + thickness, place.width, max(0.0, place.height - thickness))
