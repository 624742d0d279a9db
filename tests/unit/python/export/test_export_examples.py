# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings are correct."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "golden.comparison",
        "graph.source_lines",
        "lowering.targets",
        "report.accuracy",
        "report.findings",
        "rewritings.picking",
        "upstream.reasons",
    ],
)
def test_docstring_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"pilotlight.export.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
