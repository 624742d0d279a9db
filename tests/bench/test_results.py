# SPDX-License-Identifier: Apache-2.0
"""A comparison with an earlier run shows what changed, and nothing else."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent))

from results import Figure, Part, change, earlier_figures, print_table

MACHINE = {"cpu": "a CPU", "cores": 2, "load_average": 0.1, "date": "today", "commit": "abc"}


@pytest.mark.parametrize(
    ("unit", "value", "before", "shown"),
    [
        ("bytes", 110, 100, "+10.0 %"),
        ("bytes", 100, 100, ""),
        ("x", 1.05, 1.0, ""),
        ("x", 0.8, 1.0, "-20.0 %"),
        ("s", 1.2, 1.0, ""),
        ("s", 2.0, 1.0, "+100.0 %"),
        ("bytes", 5, 0, "was 0"),
        ("bytes", 0, 0, ""),
    ],
)
def test_a_change_beyond_the_noise_is_shown(unit: str, value: float, before: float, shown: str) -> None:
    assert change(Figure("figure", value, unit), before) == shown


def test_the_table_compares_figures_of_the_same_part_and_name() -> None:
    def table(size: int, earlier: dict[tuple[str, str], float] | None) -> str:
        out = io.StringIO()
        part = Part("footprint", (Figure("code", size, "bytes"), Figure("RAM", 8, "bytes")))
        print_table(Console(file=out, width=120), [part], MACHINE, earlier)
        return out.getvalue()

    record = {"parts": {"footprint": Part("footprint", (Figure("code", 100, "bytes"),)).as_json()}}
    earlier = earlier_figures(json.loads(json.dumps(record)))
    assert "+50.0 %" in table(150, earlier) and "new" in table(150, earlier)
    assert "%" not in table(100, earlier) and "change" not in table(150, None)
