# SPDX-License-Identifier: Apache-2.0
"""A copy of the checkout in which one place is changed at a time and tests run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bounded
from places import Place

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutation"


@dataclass(frozen=True)
class Outcome:
    """The result of a command. `end`: its exit code, or None when it passed its limit."""

    end: int | None
    said: str


class Tree:
    """A copy of the checkout's files in `folder`. Build results there are kept for the next run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        present = {name for name in names if name and (ROOT / name).is_file()}
        for name in present:
            self._copy(name)
        kept = {self._record, *present}
        if self._record_file.exists():
            for name in set(self._record_file.read_text(encoding="utf-8").split("\n")) - kept:
                (self.folder / name).unlink(missing_ok=True)
        self._record_file.write_text("\n".join(sorted(present)), encoding="utf-8")
        # Otherwise west would find the workspace around this folder, and its commands would run the
        # package of that workspace.
        workspace = self.folder / ".west" / "config"
        workspace.parent.mkdir(exist_ok=True)
        workspace.write_text("[manifest]\npath = .\nfile = west.yml\n", encoding="utf-8")

    _record = ".files"

    @property
    def _record_file(self) -> Path:
        return self.folder / self._record

    def _copy(self, name: str) -> None:
        """Copy a file unless it is unchanged, so that build results stay up to date."""
        source, target = ROOT / name, self.folder / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)

    @contextmanager
    def changed(self, place: Place) -> Iterator[None]:
        """Change `place` for as long as the context lasts."""
        file = self.folder / place.file
        source = file.read_text(encoding="utf-8")
        file.write_text(place.apply(source), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(source, encoding="utf-8")

    def run(self, command: Sequence[str], limit_s: float) -> Outcome:
        """Run a command in the copy, with the copy's Python package."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "python"),
            # Python would use stale byte code if a changed file had the same time and size.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        try:
            done = bounded.run(
                command, limit_s, cwd=self.folder, env=environment, capture_output=True, text=True, errors="replace"
            )
        except subprocess.TimeoutExpired:
            return Outcome(None, "")
        return Outcome(done.returncode, done.stdout + done.stderr)
