# SPDX-License-Identifier: Apache-2.0
"""Each place gets its intended changes, and the line of each explanation still exists."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import explained  # noqa: E402
import places  # noqa: E402

ROOT = HERE.parents[1]


def _afters(name: str, source: str) -> list[str]:
    found = places.places_in(Path(name), source)
    for place in found:
        assert place.apply(source) != source
    return [place.after for place in found]


def test_the_docstrings_example() -> None:
    assert doctest.testmod(places).failed == 0


def test_python_by_its_syntax() -> None:
    source = '"""Text with 1 < 2."""\ndef f(a: int = 3) -> int:\n    """0"""\n    g(a)\n    return a + 1  # 5\n'
    assert _afters("a.py", source) == [
        "def f(a: int = 4) -> int:",
        "pass",
        "return None # 5",
        "return a - 1 # 5",
        "return a + 2 # 5",
    ]
    assert _afters("a.py", "é = 'é' if b is not c else d not in e\n") == [
        "é = 'é' if not (b is not c) else d not in e",
        "é = 'é' if b is c else d not in e",
        "é = 'é' if b is not c else d in e",
    ]
    assert _afters("a.py", "if TYPE_CHECKING:\n    pass\n") == []
    assert _afters("a.py", "if a:\n    raise B(1)\n") == ["if not (a):", "pass", "raise B(2)"]


def test_cpp_by_its_tokens() -> None:
    source = '#include <a>\n// a < b\nint f(int a) {\n  if (a < g(1) && b) {\n    Log("x < 1", a);\n  }\n}\n'
    assert _afters("a.cpp", source) == [
        "if (!(a < g(1) && b)) {",
        "if (a <= g(1) && b) {",
        "if (a < g(2) && b) {",
        "if (a < g(1) || b) {",
        ";",
    ]
    assert _afters("a.h", "static_assert(sizeof(A) == 4);\nusing B = C<1>;\n") == []
    assert _afters("a.h", "constexpr int kA = 0x0F;\n") == ["constexpr int kA = 0x10;"]


def test_each_explanation_still_has_its_line() -> None:
    for entry in explained.read():
        keys = {place.key for place in places.places_in(Path(entry.file), (ROOT / entry.file).read_text())}
        assert entry.key in keys, f"explained.toml: {entry.key} is no change of today's code"
