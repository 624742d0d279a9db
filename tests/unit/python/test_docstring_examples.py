# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of the package are true."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from pilotlight.paths import ROOT

PACKAGE = ROOT / "python"
FILES = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.glob("pilotlight/**/*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_docstring_examples_hold(file: Path) -> None:
    module = importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
