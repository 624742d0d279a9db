# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of a page that a reader follows, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<kind>\w+) ?(?P<title>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands (sh), text to be printed (text), or a file of that title."""

    kind: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(**match.groupdict()) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]
