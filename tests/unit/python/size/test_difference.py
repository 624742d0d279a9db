# SPDX-License-Identifier: Apache-2.0
"""The cost of a change: only differences are listed, the largest first, and none is lost."""

from __future__ import annotations

from dataclasses import replace

from pilotlight.size.difference import compare
from pilotlight.size.record import FLASH, RAM, Layer, Model, Part, RegionUse, Sizes

BEFORE = Sizes(
    "net on board",
    (RegionUse("itcm", 300, 1000), RegionUse("dtcm", 90, 1000)),
    (
        Part("itcm", FLASH, ".text", "app", "main.c", "main", 100),
        Part("itcm", FLASH, ".text", "runtime core", "method.cpp", "run", 200),
        Part("dtcm", RAM, ".bss", "app", "main.c", "line", 90),
    ),
    (Model("net", {"weights": 50}, {"method pool": 20}, (Layer("conv", "net.py:3", 40, 8, 16),)),),
)


def test_nothing_changed_is_nothing_to_report() -> None:
    difference = compare(BEFORE, BEFORE)
    assert (difference.tables, difference.total.delta, difference.growth_bytes) == ((), (0, 0), 0)


def test_only_what_changed_is_listed_and_the_largest_change_first() -> None:
    grown = replace(BEFORE.parts[0], size_bytes=104)
    shrunk = replace(BEFORE.parts[1], size_bytes=150)
    after = replace(BEFORE, parts=(grown, shrunk, BEFORE.parts[2]), regions=(RegionUse("itcm", 254, 1000),))
    difference = compare(BEFORE, after)
    tables = {table.title: [(change.name, change.delta) for change in table.changes] for table in difference.tables}
    assert difference.total.delta == (-46, 0)
    assert tables == {
        "memory region": [("dtcm", (-90,)), ("itcm", (-46,))],
        "component": [("runtime core", (-50, 0)), ("app", (4, 0))],
        "file": [("runtime core: method.cpp", (-50, 0)), ("app: main.c", (4, 0))],
    }


def test_what_came_and_what_went_count_in_full() -> None:
    new = Part("itcm", FLASH, ".text", "kernels", "add.cpp", "add", 64)
    layers = (Layer("linear", "net.py:4", 30, 4, 10),)
    model = Model("net", {"weights": 30, "constants": 5}, {"method pool": 20}, layers)
    difference = compare(BEFORE, replace(BEFORE, parts=(*BEFORE.parts, new), models=(model,)))
    tables = {table.title: [(change.name, change.delta) for change in table.changes] for table in difference.tables}
    assert tables["component"] == [("kernels", (64, 0))]
    assert tables["model"] == [("net: weights", (-20, 0)), ("net: constants", (5, 0))]
    assert tables["layer"] == [("net: conv", (-40, -8, -16)), ("net: linear", (30, 4, 10))]
    assert difference.growth_bytes == 64


def test_growth_is_that_of_flash_or_ram_whichever_is_more() -> None:
    more_ram = replace(BEFORE.parts[2], size_bytes=100)
    less_flash = replace(BEFORE.parts[1], size_bytes=100)
    assert compare(BEFORE, replace(BEFORE, parts=(BEFORE.parts[0], less_flash, more_ram))).growth_bytes == 10
