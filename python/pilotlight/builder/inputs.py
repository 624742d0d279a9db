# SPDX-License-Identifier: Apache-2.0
"""Records the inputs of an export, and finds what has changed since.

The record covers the files that Python opened, the model file's folder, the files that
`ModelSpec.depends_on` names, and the versions of all installed packages. A file that only C++
reads, or a new file that a glob would find, must be in the folder or in `depends_on`. A file that
changed while the export ran counts as changed at the next build, too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.files import matching
from pilotlight.paths import ROOT
from pilotlight.user_cache import compiled_loops, weight_cache

# A folder with more files is probably a home directory, not a model's folder.
MOST_FILES = 5000
_PACKAGE = Path(__file__).resolve().parents[1]
# Files that mark build folders and virtual environments.
_MARKERS = frozenset(("CMakeCache.txt", "build_info.json", "pyvenv.cfg"))
_SKIPPED_FOLDERS = frozenset(("__pycache__", "node_modules"))
# Firmware sources and documents beside a model. Such files count only if Python opened them.
_SKIPPED_NAMES = frozenset(("CMakeLists.txt",))
_SKIPPED_SUFFIXES = frozenset(
    (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".s", ".ld", ".cmake", ".md", ".rst", ".log", ".pyc", ".o", ".elf")
)


# The digest of a file that changed during the export: no content has it.
_UNKNOWN = ""


@dataclass(frozen=True)
class Start:
    """When an export started, and the model folder's files then, with their digests."""

    time_ns: int
    files: Mapping[Path, str]

    @classmethod
    def now(cls, source: Path, bundle: Path) -> Start:
        """source: the model file."""
        time_ns = time.time_ns()
        return cls(time_ns, {path: _sha256(path) for path in _folder_files(source.parent, bundle) or ()})

    def digest(self, path: Path) -> str:
        """Return a file's digest, _UNKNOWN if nobody knows which content the export has read."""
        now = _sha256(path)
        if path in self.files:
            return now if now == self.files[path] else _UNKNOWN
        return now if path.stat().st_mtime_ns < self.time_ns else _UNKNOWN


def gather(
    source: Path, opened: Iterable[Path], depends_on: Sequence[str], bundle: Path, start: Start
) -> dict[str, Any]:
    """Return the record of an export that has just ended. source: the model file."""
    watched = _folder_files(source.parent, bundle)
    files = {_source_of(path) for path in opened}
    files = {path for path in files if _is_input(path, bundle)}
    files |= {*(watched or ()), *_named(depends_on)}
    return {
        "folder": "" if watched is None else str(source.parent),
        "depends_on": list(depends_on),
        "files": {str(path): start.digest(path) for path in sorted(files)},
        "packages": installed_packages(),
    }


def what_changed(record: dict[str, Any], bundle: Path) -> str:
    """Return the first difference from `record`, or "".

    Raises KeyError or TypeError if the record has another format.
    """
    known = {Path(path): str(digest) for path, digest in record["files"].items()}
    folder = record["folder"]
    found = {*_named(record["depends_on"]), *((folder and _folder_files(Path(folder), bundle)) or ())}
    if new := sorted(found - known.keys()):
        return f"{new[0]} is new"
    for path, digest in known.items():
        if not path.is_file():
            return f"{path} is gone"
        if _sha256(path) != digest:
            return f"{path} has changed"
    packages, now = record["packages"], installed_packages()
    for name in sorted({*packages, *now}):
        if packages.get(name) != now.get(name):
            return f"package {name}: {packages.get(name, 'none')} then, {now.get(name, 'none')} now"
    return ""


def watched_paths(record: dict[str, Any]) -> list[str]:
    """Return the watched files, and the folders in which a new file may appear."""
    folder = record["folder"]
    parents = {str(Path(path).parent) for path in record["files"] if folder and Path(path).is_relative_to(folder)}
    return sorted({*record["files"], *parents, *([folder] if folder else [])})


def _folder_files(folder: Path, bundle: Path) -> set[Path] | None:
    """Return the files below `folder` that an export may read; None if there are too many."""
    results = bundle.parent.parent  # The build folder.
    among_results = folder.is_relative_to(results)
    found: set[Path] = set()
    for path in _walk(folder, bundle.parent if among_results else results):
        if among_results and path.suffix != ".py":
            continue
        found.add(path)
        if len(found) > MOST_FILES:
            return None
    return found


def _walk(folder: Path, skipped: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        if Path(root) != folder and not _MARKERS.isdisjoint(names):
            folders.clear()
            continue
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in _SKIPPED_FOLDERS and Path(root, name) != skipped
        ]
        for name in names:
            path = Path(root, name)
            is_skipped = name.startswith(".") or name.endswith("~") or name in _SKIPPED_NAMES
            if not is_skipped and path.suffix.lower() not in _SKIPPED_SUFFIXES and path.is_file():
                yield path


def _named(patterns: Iterable[str]) -> set[Path]:
    return {path for pattern in patterns for path in matching(pattern)}


def _is_input(path: Path, bundle: Path) -> bool:
    """Whether a file counts as an input.

    This package has a hash of its own, and installed modules count by their version.
    """
    outside = [_PACKAGE, bundle.parent, Path("/proc"), Path("/sys"), Path("/dev"), ROOT / "build"]
    outside += filter(None, [weight_cache(), compiled_loops()])  # The simulator's, which confirms the program.
    if not path.is_file() or any(path.is_relative_to(folder) for folder in outside):
        return False
    installed = path.suffix in (".py", ".pth") or ".dist-info" in str(path.parent)
    return not (installed and any(path.is_relative_to(folder) for folder in _libraries()))


def _libraries() -> list[Path]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return [Path(folder) for folder in (*(paths[name] for name in names), *site.getsitepackages())]


def installed_packages() -> dict[str, str]:
    """Return the installed packages and their versions, from the names of their folders.

    Reading the metadata of each package would take half of the time of a build that does nothing.
    """
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        names = sorted(os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208 - names alone, and quickly
        for name in names:
            package, dot, kind = name.rpartition(".")
            if dot and kind in ("dist-info", "egg-info"):
                title, _, version = package.partition("-")
                found.setdefault(title, version)
    found.pop("pilotlight", None)
    return found


def _source_of(path: Path) -> Path:
    """Return the source of a cached bytecode file; any other path unchanged."""
    path = path.absolute()
    if path.suffix == ".pyc":
        try:
            return Path(importlib.util.source_from_cache(str(path)))
        except ValueError:
            return path
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
