# SPDX-License-Identifier: Apache-2.0
"""pytest finds every test file when it is given the folder `tests`."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    """pytest's default list has "build" in it. That default once left out the tests of
    pilotlight.builder."""
    left_out = pytestconfig.getini("norecursedirs")
    files = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    assert len(files) > 100
    hidden = [str(file) for file in files if any(fnmatch(part, p) for part in file.parts[:-1] for p in left_out)]
    assert hidden == []
