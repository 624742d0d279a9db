# SPDX-License-Identifier: Apache-2.0
"""Writes sizes as one HTML file: a picture each of flash and RAM, and all tables."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from pilotlight.files import write_atomically
from pilotlight.size.components import PADDING
from pilotlight.size.model_symbols import memory_of_model, model_of_program
from pilotlight.size.program import WEIGHTS
from pilotlight.size.record import FLASH, RAM, Model, Part, Sizes, by_component
from pilotlight.size.treemap import HEAD, Box, Node, Rectangle, lay_out

_WIDTH = 1120.0
_HEIGHT = 620.0
_FONT = 11.0
# Average width of the page's font. The value is rather too large, because a label that is cut early
# is better than a label that overflows its box.
_CHARACTER = 6.1
_LEAST_CHARACTERS = 4


@dataclass(frozen=True)
class _Drawn:
    """A box for the template. hue: that of its component; None for grey."""

    box: Box
    hue: int | None
    label: str
    tooltip: str
    text_y: float


def write_html(sizes: Sizes, path: Path) -> None:
    """Write the report to `path`."""
    components = by_component(sizes)
    # Components of similar size get very different hues.
    hues = {name: round(210 + 137.5 * index) % 360 for index, name in enumerate(components) if name != PADDING}
    pictures = []
    for memory in (FLASH, RAM):
        total = sizes.total(memory)
        if total:
            boxes = lay_out(_tree(sizes, memory), Rectangle(0.0, 0.0, _WIDTH, _HEIGHT))
            pictures.append((memory, total, [_drawn(box, hues, total) for box in boxes]))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bytes"] = lambda size: f"{size:,}" if size else ""
    page = environment.get_template("size.html.j2").render(
        sizes=sizes,
        components=components,
        hues=hues,
        pictures=pictures,
        width=_WIDTH,
        height=_HEIGHT,
        flash=sizes.total(FLASH),
        ram=sizes.total(RAM),
        largest=max((component[0] + component[1] for component in components.values()), default=1),
    )
    write_atomically(path, page)


def _tree(sizes: Sizes, memory: str) -> tuple[Node, ...]:
    """Return the tree: component, file, symbol; for a model's program its parts and layers."""
    models = {model.name: model for model in sizes.models}
    parts: dict[str, dict[str, list[Part]]] = defaultdict(lambda: defaultdict(list))
    for part in sizes.parts:
        if part.memory == memory:
            parts[part.component][part.file].append(part)
    return tuple(
        _frame(component, [_frame(file, _leaves(inside, models)) for file, inside in files.items()])
        for component, files in parts.items()
    )


def _leaves(parts: Sequence[Part], models: dict[str, Model]) -> list[Node]:
    sizes: Counter[str] = Counter()
    programs = []
    for part in parts:
        model = models.get(model_of_program(part.symbol) or "")
        memory = memory_of_model(part.symbol)
        if model is not None:
            programs.append(_program(model, part.size_bytes))
        else:
            sizes[" ".join(memory) if memory else part.symbol or part.section] += part.size_bytes
    return [*programs, *(Node(name, size) for name, size in sizes.items())]


def _program(model: Model, size: int) -> Node:
    layers = tuple(Node(layer.name, layer.weights_bytes) for layer in model.layers if layer.weights_bytes)
    inside = (Node(name, part, layers if name == WEIGHTS else ()) for name, part in model.flash.items())
    return Node(f"program {model.name}", size, tuple(inside))


def _frame(name: str, children: list[Node]) -> Node:
    """Return a node, without a nameless level: padding has neither file nor symbol."""
    if len(children) == 1 and (not name or not children[0].name):
        (only,) = children
        return Node(name or only.name, only.size, only.children)
    return Node(name, sum(child.size for child in children), tuple(children))


def _drawn(box: Box, hues: dict[str, int], total: int) -> _Drawn:
    name, place = _short(box.path[-1]), box.place
    room = int((place.width - 8) / _CHARACTER)
    label = ""
    if place.height >= HEAD - 2 and room >= _LEAST_CHARACTERS:
        full = f"{name}  {box.size:,}"
        label = full if len(full) <= room else name if len(name) <= room else name[: room - 1] + "…"
    tooltip = f"{' › '.join(box.path)}\n{box.size:,} bytes, {box.size / total:.1%}"
    return _Drawn(box, hues.get(box.path[0]), label, tooltip, place.y + _FONT + 2)


def _short(name: str) -> str:
    """Return a C++ name without namespaces and arguments; the tooltip has the full name.

    >>> _short("pilotlight::(anonymous namespace)::Parser::Table(unsigned long, int const*) const")
    'Table'
    >>> _short("vtable for flatbuffers::Vector<a::Offset<b::C> >"), _short("server.cpp")
    ('Vector', 'server.cpp')
    """
    plain = name.replace("(anonymous namespace)", "")
    while (cut := re.sub(r"<[^<>]*>", "", plain)) != plain:
        plain = cut
    plain = plain.partition("(")[0].strip()
    return re.split(r"[\s:]", plain)[-1] if "::" in plain else plain or name
