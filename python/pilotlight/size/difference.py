# SPDX-License-Identifier: Apache-2.0
"""Compares two images by region, component, file, model and layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.size.record import FLASH, RAM, Sizes, by_component

Row = tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """A changed row.

    before, after: a number per column of its table; 0 if the row did not exist.
    """

    name: str
    before: Row
    after: Row

    @property
    def delta(self) -> Row:
        """after - before, per column."""
        return tuple(after - before for before, after in zip(self.before, self.after, strict=True))


@dataclass(frozen=True)
class Table:
    """The changes of one kind, the largest first. columns: names of the numbers."""

    title: str
    columns: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Difference:
    """The difference of two images. before, after: their titles. total: flash and RAM."""

    before: str
    after: str
    total: Change
    tables: tuple[Table, ...]

    @property
    def growth_bytes(self) -> int:
        """Growth of flash or RAM, whichever grew more; negative if both shrank."""
        return max(self.total.delta)

    def as_json(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "after": self.after,
            "flash_bytes": self.total.delta[0],
            "ram_bytes": self.total.delta[1],
            **{table.title: [_as_json(table, change) for change in table.changes] for table in self.tables},
        }


def _as_json(table: Table, change: Change) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after, "change": change.delta}
    return {"name": change.name, **{key: dict(zip(table.columns, row, strict=True)) for key, row in sides.items()}}


def compare(before: Sizes, after: Sizes) -> Difference:
    """Return the changes from `before` to `after`."""
    both = (FLASH, RAM)
    rows = (
        ("memory region", ("bytes",), _regions),
        ("component", both, by_component),
        ("file", both, _files),
        ("model", both, _models),
        ("layer", ("weights", "commands", "output"), _layers),
    )
    tables = tuple(Table(title, columns, _changes(of(before), of(after))) for title, columns, of in rows)
    total = Change("total", *((sizes.total(FLASH), sizes.total(RAM)) for sizes in (before, after)))
    return Difference(before.title, after.title, total, tuple(table for table in tables if table.changes))


def _changes(before: Mapping[str, Row], after: Mapping[str, Row]) -> tuple[Change, ...]:
    found = []
    for name in {**before, **after}:
        known = before.get(name) or after[name]
        nothing = (0,) * len(known)
        change = Change(name, before.get(name, nothing), after.get(name, nothing))
        if any(change.delta):
            found.append(change)
    return tuple(sorted(found, key=lambda change: (-sum(map(abs, change.delta)), change.name)))


def _regions(sizes: Sizes) -> Mapping[str, Row]:
    return {region.name: (region.used_bytes,) for region in sizes.regions}


def _files(sizes: Sizes) -> Mapping[str, Row]:
    sums = [sizes.by(lambda part: f"{part.component}: {part.file}", memory) for memory in (FLASH, RAM)]
    return {name: (sums[0][name], sums[1][name]) for name in {**sums[0], **sums[1]} if not name.endswith(": ")}


def _models(sizes: Sizes) -> Mapping[str, Row]:
    rows: dict[str, Row] = {}
    for model in sizes.models:
        rows |= {f"{model.name}: {name}": (size, 0) for name, size in model.flash.items()}
        rows |= {f"{model.name}: {name}": (0, size) for name, size in model.ram.items()}
    return rows


def _layers(sizes: Sizes) -> Mapping[str, Row]:
    return {
        f"{model.name}: {layer.name}": (layer.weights_bytes, layer.commands_bytes, layer.output_bytes)
        for model in sizes.models
        for layer in model.layers
    }
