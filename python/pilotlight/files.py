# SPDX-License-Identifier: Apache-2.0
"""Finds files by a pattern, and writes files atomically."""

from __future__ import annotations

import errno
import os
import tempfile
from glob import glob
from pathlib import Path

from pilotlight.errors import StorageFull

# Full disk, full quota, and file larger than the process may write.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def storage_full(error: BaseException) -> StorageFull | None:
    """Return StorageFull if `error` or one of its causes is a full disk, else None."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno in _FULL:
            what = link.filename or "a temporary file"
            return StorageFull(
                f"{what} cannot be written: {link.strerror}",
                hint=f"make room, or name another folder; temporary files are in {tempfile.gettempdir()} (TMPDIR)",
            )
        link = link.__cause__ or link.__context__
    return None


def matching(pattern: str) -> list[Path]:
    """Return the files that an absolute pattern matches. `**` works.

    A folder stands for all files below it.
    """
    found = map(Path, glob(pattern, recursive=True))  # noqa: PTH207 - pathlib's takes no absolute pattern
    files = (path.rglob("*") if path.is_dir() else (path,) for path in found)
    return sorted({path for several in files for path in several if path.is_file()})


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, and rename it to `path`."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, content: str | bytes) -> bool:
    """Write atomically, unless `path` already holds `content`. Returns whether it wrote."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    write_atomically(path, data)
    return True
