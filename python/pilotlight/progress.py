# SPDX-License-Identifier: Apache-2.0
"""Shows the progress of a long command."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

# Shortest time between two lines that differ only in their numbers.
_BETWEEN_S = 10.0


@contextmanager
def telling(console: Console, doing: str) -> Iterator[Callable[[str], None]]:
    """Show `doing`, then each text that is passed to the yielded function.

    On a terminal, one line changes. Elsewhere each step is a line of its own. A step that counts
    ("compiling 3 of 40") writes a line at most every ten seconds.
    """
    if console.is_terminal:
        with console.status(escape(doing)) as status:
            yield lambda text: status.update(escape(text))
        return
    last, told = "", 0.0

    def tell(text: str) -> None:
        nonlocal last, told
        kind, now = re.sub(r"\d+", "", text), time.monotonic()
        if kind != last or now - told >= _BETWEEN_S:
            console.print(text, markup=False, highlight=False, soft_wrap=True)
            last, told = kind, now

    tell(doing)
    yield tell
