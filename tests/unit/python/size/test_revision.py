# SPDX-License-Identifier: Apache-2.0
"""A commit is checked out beside the user's work, and leftovers of an earlier run do no harm."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pilotlight.size import revision


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    home = tmp_path / "repository"
    home.mkdir()
    git(home, "init", "--quiet")
    (home / "file").write_text("committed", encoding="utf-8")
    git(home, "add", "file")
    git(home, "commit", "--quiet", "-m", "a file")
    (home / "file").write_text("not yet", encoding="utf-8")
    return home


def test_the_commit_is_there_during_the_block_and_the_users_work_stays(repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    with revision._checkout(repository, commit, tmp_path / "work") as tree:
        assert (tree / "file").read_text(encoding="utf-8") == "committed"
    assert not tree.exists()
    assert (repository / "file").read_text(encoding="utf-8") == "not yet"
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_what_a_killed_run_left_behind_is_replaced(repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    left = tmp_path / "work" / "source"
    git(repository, "worktree", "add", "--detach", str(left), commit)
    (left / "file").write_text("half a build", encoding="utf-8")
    with revision._checkout(repository, commit, tmp_path / "work") as tree:
        assert (tree / "file").read_text(encoding="utf-8") == "committed"
