# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of a page, in order, as a reader follows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<kind>\w+) ?(?P<title>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands (sh), expected output (text), or a file whose name is the title."""

    kind: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(**match.groupdict()) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]
