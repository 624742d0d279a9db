# SPDX-License-Identifier: Apache-2.0
"""Where the worker's socket is, and what worker and build must have in common."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pilotlight.builder.inputs import installed_packages

_PACKAGE = Path(__file__).resolve().parents[2]
# Variables that change from command to command and that no export reads.
_FREE = frozenset(("_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "TERM", "WINDOWID"))
# A longer path is no address of a socket (unix(7)).
_MOST_PATH_BYTES = 107
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)


def socket_path() -> Path | None:
    """Return the path of the socket for this environment; None if no folder is private and short.

    Makes the folder if it is missing.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    parent = Path(runtime) if runtime and _is_private(Path(runtime)) else Path(tempfile.gettempdir())
    folder = parent / f"pilotlight-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    name = hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
    path = folder / f"{name}.socket"
    return path if _is_private(folder) and len(os.fsencode(path)) <= _MOST_PATH_BYTES else None


def _is_private(folder: Path) -> bool:
    """Whether `folder` is a folder of this user that nobody else can use."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def identity(environment: Mapping[str, str]) -> str:
    """Return a hash of everything besides a job that an export depends on.

    environment: as it was when the process started, because PyTorch adds a variable to it.
    """
    sources = sorted(_PACKAGE.rglob("*.py"))
    facts = [
        sys.executable,
        sys.prefix,
        sys.version,
        sorted(installed_packages().items()),
        sorted((name, value) for name, value in environment.items() if name not in _FREE),
        [resource.getrlimit(limit) for limit in _LIMITS],
        [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sources],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
