# SPDX-License-Identifier: Apache-2.0
"""Lays out a tree of sizes as nested rectangles whose areas are in proportion to the sizes.

Each level fills rows along the shorter side. A row takes as many rectangles as keep them closest to
squares. Source: Bruls, Huizing, van Wijk, "Squarified Treemaps".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Space for a frame's name, and between frames.
HEAD, EDGE = 17.0, 2.0
# Smaller frames do not show their contents, which would be too small to read.
_LEAST_WIDTH, _LEAST_HEIGHT = 26.0, 30.0


@dataclass(frozen=True)
class Node:
    """A node of the tree. size: at least the sum of the children's sizes."""

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
    """A node's place.

    path: names from the outermost node on. open: its children are drawn in it.
    """

    place: Rectangle
    path: tuple[str, ...]
    size: int
    open: bool

    @property
    def depth(self) -> int:
        return len(self.path) - 1


def lay_out(nodes: Sequence[Node], place: Rectangle, path: tuple[str, ...] = ()) -> Iterator[Box]:
    """Yield the nodes' boxes, each before the boxes inside it."""
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
    """Divide `place` in proportion to `sizes`, which are in descending order.

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
    """Return the largest ratio of the sides of a rectangle in a row along `side`."""
    area = sum(row) * scale
    if area <= 0 or side <= 0:
        return 1.0
    thickness = area / side
    return max(max(thickness**2 / (size * scale), size * scale / thickness**2) for size in (row[0], row[-1]))


def _row(row: Sequence[int], scale: float, place: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """Lay a row along the shorter side of `place`.

    Return the rectangles of the row, and the rest of `place`.
    """
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
