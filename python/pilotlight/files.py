# SPDX-License-Identifier: Apache-2.0
"""Finding files by a pattern, and writing them so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from glob import glob
from pathlib import Path

from pilotlight.errors import StorageFull

# The disk, the user's share of it, the largest file that the process may write.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def storage_full(error: BaseException) -> StorageFull | None:
    """Return what to tell when `error`, or one that it came from, is that no more can be written; else None."""
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
    """Return what an absolute pattern matches, `**` included; a folder stands for the files in it."""
    found = map(Path, glob(pattern, recursive=True))  # noqa: PTH207 - pathlib's takes no absolute pattern
    files = (path.rglob("*") if path.is_dir() else (path,) for path in found)
    return sorted({path for several in files for path in several if path.is_file()})


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside `path`, flush to disk, then rename over it."""
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
    """Write atomically unless `path` holds `content` already, so that build tools see no change."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    write_atomically(path, data)
    return True
