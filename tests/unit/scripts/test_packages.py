# SPDX-License-Identifier: Apache-2.0
"""The packages of pilotlight import each other without cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3] / "python" / "pilotlight"


def imported(file: Path) -> Iterator[str]:
    """Yield the dotted name of each import in `file`, also of imports inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of_packages(folder: Path) -> dict[str, set[str]]:
    """Return, for each folder and file directly in `folder`, those that it imports."""
    parts = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    parts -= {"__init__", "__main__"}
    prefix = ".".join(("pilotlight", *folder.relative_to(ROOT).parts)) + "."
    found: dict[str, set[str]] = {part: set() for part in parts}
    for part in parts:
        files = (folder / part).rglob("*.py") if (folder / part).is_dir() else [folder / f"{part}.py"]
        for name in (name for file in files for name in imported(file)):
            if name.startswith(prefix):
                found[part] |= {name.removeprefix(prefix).partition(".")[0]} & parts - {part}
    return found


@pytest.mark.parametrize("folder", ["", "export", "npu"])
def test_no_package_imports_itself_through_others(folder: str) -> None:
    found = imports_of_packages(ROOT / folder)
    assert any(found.values())
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))
