# SPDX-License-Identifier: Apache-2.0
"""Each section of docs/HOW_TO_ADD.md ends with a commit that touches every file of the section's
table.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from pilotlight.paths import ROOT

PAGE = ROOT / "docs" / "HOW_TO_ADD.md"
SECTIONS = ("A CPU kernel", "A board", "A chip", "An NPU product", "A runner", "A command")
FIRST_COMMIT = "436cfae1860eb997b47d35d73c2692396ba09aa1"


def sections() -> dict[str, str]:
    """Return the text of each section by its heading."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def listed_files(section: str) -> list[str]:
    """Return the first cells of the section's table."""
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def example(section: str) -> tuple[str, str]:
    """Return the hash and the title of the section's commit."""
    ((commit, title),) = re.findall(r"^Example: `([0-9a-f]{7,40})`\s(.+)\Z", section, re.MULTILINE | re.DOTALL)
    return commit, " ".join(title.split())


def is_touched(listed: str, touched: list[str]) -> bool:
    """Return whether a commit touches a listed file, also as a file of an addition in tests/."""
    pattern = r"[^/]+".join(re.escape(part) for part in re.split(r"<\w+>", listed))
    return any(re.fullmatch(rf"(?:tests/.+/)?{pattern}", file) for file in touched)


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.fixture
def history() -> None:
    """Skip the test in a copy without the history: no repository, a shallow clone, or other
    commits.
    """
    if FIRST_COMMIT not in git("rev-list", "--max-parents=0", "HEAD").split():
        pytest.skip("the history of the repository is not here")


def test_the_page_has_the_six_sections_each_with_files_a_command_and_an_example() -> None:
    assert tuple(sections()) == SECTIONS
    for text in sections().values():
        assert len(listed_files(text)) >= 2
        assert re.search(r"^    pytest .*tests/", text, re.MULTILINE)
        assert example(text)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_example_of_a_section_is_a_commit_that_touches_every_listed_file(name: str, history: None) -> None:
    section = sections()[name]
    commit, title = example(section)
    assert git("merge-base", "HEAD", commit).strip() == git("rev-parse", f"{commit}^{{commit}}").strip() != ""
    assert git("log", "-1", "--format=%s", commit).strip() == title
    touched = git("show", "--format=", "--name-only", commit).splitlines()
    assert [file for file in listed_files(section) if not is_touched(file, touched)] == []


def test_a_file_that_the_commit_does_not_touch_is_noticed() -> None:
    touched = ["tests/emulator/additions/chip/firmware/platform/example/console.cpp", "boards/new/board.toml"]
    assert is_touched("firmware/platform/<chip>/console.cpp", touched)
    assert is_touched("boards/<name>/board.toml", touched)
    assert not is_touched("firmware/platform/<chip>/platform.cmake", touched)
    assert not is_touched("boards/<name>/<name>/board.toml", touched)
    assert not is_touched("board.toml", touched)
