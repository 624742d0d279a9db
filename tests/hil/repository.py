# SPDX-License-Identifier: Apache-2.0
"""Git repositories of another project, and a repository with this checkout's files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pilotlight.paths import ROOT


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=somebody", "-c", "user.email=somebody@example", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    """Make `folder` a repository with all of its files in the branch main."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=as it is")


def publish_checkout(folder: Path) -> str:
    """Commit this checkout's files, as they are, to a repository in `folder`. Return its URL.

    Changes that are not committed yet are included.
    """
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    commit(folder)
    return f"file://{folder}"
