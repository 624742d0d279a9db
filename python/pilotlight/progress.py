# SPDX-License-Identifier: Apache-2.0
"""Tells what a long command is doing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

# Between two lines that differ in their numbers only.
_BETWEEN_S = 10.0


@contextmanager
def telling(console: Console, doing: str) -> Iterator[Callable[[str], None]]:
    """Show `doing`, and then what the function that is yielded is given.

    On a terminal that is one line, which changes. Elsewhere each step is a line of its own; of a step
    that counts ("compiling 3 of 40") a line is written now and then.
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
