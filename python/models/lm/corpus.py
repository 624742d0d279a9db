# SPDX-License-Identifier: Apache-2.0
"""Collects English paragraphs from Python's own documentation: the text that `train.py` learns.

The sources are the language reference in `pydoc_data.topics` and the docstrings of the standard
library, as this Python installs them. Grammar, code, lists and markup are left out.
"""

from __future__ import annotations

import ast
import inspect
import re
import sysconfig
import zlib
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

# One paragraph of this many is held out. A checksum of the paragraph decides.
_HELD_OUT_OF = 20
_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "pydoc_data"}
_MARKUP = re.compile(r"\*\*|``|`|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)|:[a-z:]+:(?=`)")
_ALLOWED = re.compile(r"[ -~]+")
_SHORTEST = 60
_LETTERS = 0.77


def paragraphs() -> tuple[list[str], list[str]]:
    """Return the paragraphs to train with, and those held out. None is in both, or twice."""
    training, held_out = [], []
    for paragraph in dict.fromkeys(_all()):
        held = zlib.crc32(paragraph.encode()) % _HELD_OUT_OF == 0
        (held_out if held else training).append(paragraph)
    return training, held_out


def _all() -> Iterator[str]:
    for name in sorted(topics):
        yield from _prose(topics[name])
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if not _LEFT_OUT & set(path.relative_to(library).parts):
            yield from _docstrings(path)


def _docstrings(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _prose(ast.get_docstring(node) or "")


def _prose(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        role_free = re.sub(r":[a-z:]+:(?=`)", "", block)
        paragraph = " ".join(_MARKUP.sub("", role_free).split())
        letters = sum(c.isalpha() or c == " " for c in paragraph)
        if (
            len(paragraph) >= _SHORTEST
            and paragraph[0].isupper()
            and paragraph[-1] in ".:"
            and ">>>" not in paragraph
            and letters >= _LETTERS * len(paragraph)
            and _ALLOWED.fullmatch(paragraph)
        ):
            yield paragraph
