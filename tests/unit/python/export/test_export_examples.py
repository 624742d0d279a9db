# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings are correct."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import pilotlight.export

FOLDER = Path(pilotlight.export.__file__).parent
EXAMPLES = [path.relative_to(FOLDER) for path in sorted(FOLDER.rglob("*.py")) if ">>> " in path.read_text("utf-8")]


@pytest.mark.parametrize("file", EXAMPLES, ids=str)
def test_docstring_examples_hold(file: Path) -> None:
    name = ".".join(("pilotlight.export", *file.with_suffix("").parts))
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
