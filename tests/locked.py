# SPDX-License-Identifier: Apache-2.0
"""Locks for build folders that several test workers use."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make the contents of the folder; the others wait.

    The lock ends with the process that holds it. The test's own time limit bounds the wait.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
