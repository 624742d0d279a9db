# SPDX-License-Identifier: Apache-2.0
"""Records which tests run which lines of the package, with coverage.py, in build/mutation.

python tests/mutation/coverage_map.py            measure again
python tests/mutation/coverage_map.py PATH...    only these tests; keep what is known of others
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from tree import ROOT, WORK, Tree  # noqa: E402

MAP = WORK / "coverage.json"
# These tests run the package in their own process. Tests that start west, a board or a compiler are
# left out.
MEASURED = ("tests/unit/python", "tests/npu")
_LIMIT_S = 7200


def modules() -> list[str]:
    """Return the files of the package, as the map names them."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "python" / "pilotlight").rglob("*.py"))


def measure(tree: Tree, tests: Sequence[str] = MEASURED) -> None:
    """Run tests of `tree` under coverage.py, and write the lines that they run into the map."""
    database = tree.folder / "build" / "coverage.sqlite"
    database.parent.mkdir(exist_ok=True)
    settings = tree.folder / "build" / "coveragerc"
    settings.write_text(f"[run]\ndata_file = {database}\nsource = {tree.folder / 'python' / 'pilotlight'}\n")
    command = ["pytest", "-c", "python/pyproject.toml", "--rootdir", ".", "-m", "not campaign", "-q", "-n", "2"]
    command += ["--dist", "loadfile", "--durations=0", "--durations-min=0.1"]
    command += ["--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report=", *tests]
    outcome = tree.run(command, _LIMIT_S)
    if outcome.end != 0:
        raise SystemExit(f"the tests fail without any change:\n{outcome.said[-4000:]}")
    seconds: dict[str, float] = defaultdict(float)
    for duration, test in re.findall(r"^ *([\d.]+)s \w+ +(\S+?\.py::.*)$", outcome.said, re.MULTILINE):
        seconds[test] += float(duration)
    known: dict[str, Any] = {"lines": {}, "seconds": {}}
    if MAP.exists() and tests is not MEASURED:
        known = json.loads(MAP.read_text(encoding="utf-8"))
    for file, by_test in _lines(database, tree.folder).items():
        known["lines"].setdefault(file, {}).update(by_test)
    known["seconds"].update(seconds)
    known["modules"] = modules()
    WORK.mkdir(parents=True, exist_ok=True)
    MAP.write_text(json.dumps(known, indent=1), encoding="utf-8")


def _lines(database: Path, root: Path) -> dict[str, dict[str, list[int]]]:
    """Return, for each file of the package and each test, the lines that run."""
    from coverage.numbits import numbits_to_nums

    found: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    query = (
        "select file.path, context.context, line_bits.numbits from line_bits"
        " join file on file.id = line_bits.file_id join context on context.id = line_bits.context_id"
    )
    with sqlite3.connect(database) as connection:
        for path, context, bits in connection.execute(query):
            test = context.rpartition("|")[0]
            if test:
                found[str(Path(path).relative_to(root))][test] |= set(numbits_to_nums(bits))
    return {file: {test: sorted(lines) for test, lines in tests.items()} for file, tests in found.items()}


def new_modules() -> list[str]:
    """Return the files of the package that the map does not know; all if there is no map."""
    if not MAP.exists():
        return modules()
    known = json.loads(MAP.read_text(encoding="utf-8"))
    return [module for module in modules() if module not in known["modules"]]


class CoverageMap:
    """What `measure` found.

    A test has pytest's name: "tests/unit/python/test_bundle.py::test_name[parameter]".
    """

    def __init__(self, lines: dict[str, dict[str, set[int]]], seconds: dict[str, float]) -> None:
        self._lines, self._seconds = lines, seconds
        self.seconds_of_file: dict[str, float] = defaultdict(float)
        for test, spent in seconds.items():
            self.seconds_of_file[test.partition("::")[0]] += spent

    @classmethod
    def load(cls) -> CoverageMap:
        content = json.loads(MAP.read_text(encoding="utf-8"))
        lines = {file: {test: set(found) for test, found in tests.items()} for file, tests in content["lines"].items()}
        return cls(lines, content["seconds"])

    def by_test_file(self, file: str) -> dict[str, set[int]]:
        """Return the lines of `file` that the tests of each test file run."""
        found: dict[str, set[int]] = defaultdict(set)
        for test, lines in self._lines.get(file, {}).items():
            found[test.partition("::")[0]] |= lines
        return found

    def quickest(self, file: str, line: int, budget_s: float) -> list[str]:
        """Return tests that run a line, the quickest first, as many as take `budget_s` seconds
        together.
        """
        chosen, left = [], budget_s
        tests = (test for test, lines in self._lines.get(file, {}).items() if line in lines)
        for test in sorted(tests, key=lambda test: self._seconds.get(test, 0)):
            left -= self._seconds.get(test, 0)
            if left < 0:
                break
            chosen.append(test)
        return chosen


if __name__ == "__main__":
    measure(Tree(WORK / "tree-0"), sys.argv[1:] or MEASURED)
