# SPDX-License-Identifier: Apache-2.0
"""Reads the stack use of each compiled function from the .ci files of `-fcallgraph-info=su`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NODE = re.compile(r'^node: \{ title: "(?P<title>[^"]*)" label: "(?P<label>[^"]*)"')
_INDIRECT = re.compile(r'^edge: \{ sourcename: "(?P<caller>[^"]*)" targetname: "__indirect_call"')
_USE = re.compile(r"\\n(?P<bytes>\d+) bytes \((?P<kind>[a-z,]+)\)")


@dataclass(frozen=True)
class CompiledFunction:
    """Stack use of a function.

    bytes: the whole stack use of a call, return address included.
    is_bounded: the size does not depend on values at run time.
    """

    bytes: int
    is_bounded: bool
    calls_through_pointer: bool


def read_frames(folder: Path) -> dict[str, CompiledFunction]:
    """Return the functions compiled in the build folder `folder`, by linker name.

    Build folders inside it belong to other images and are left out. If functions of several files
    share a name, the result combines the worst of each property.
    """
    found: dict[str, CompiledFunction] = {}
    for path in sorted(_call_graphs(folder)):
        text = path.read_text(encoding="utf-8", errors="replace")
        indirect = {_linker_name(match["caller"]) for line in text.splitlines() if (match := _INDIRECT.match(line))}
        for line in text.splitlines():
            node = _NODE.match(line)
            use = _USE.search(node["label"]) if node else None
            if node is None or use is None:
                continue
            name = _linker_name(node["title"])
            function = CompiledFunction(
                int(use["bytes"]), use["kind"] in ("static", "dynamic,bounded"), name in indirect
            )
            if name in found:
                function = _worst(found[name], function)
            found[name] = function
    return found


def _call_graphs(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if not (here / name / "CMakeCache.txt").exists()]
        yield from (here / name for name in files if name.endswith(".ci"))


def _linker_name(title: str) -> str:
    # Static functions have the title "path:name".
    return title.rpartition(":")[2]


def _worst(a: CompiledFunction, b: CompiledFunction) -> CompiledFunction:
    return CompiledFunction(
        max(a.bytes, b.bytes), a.is_bounded and b.is_bounded, a.calls_through_pointer or b.calls_through_pointer
    )
