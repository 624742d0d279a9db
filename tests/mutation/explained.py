# SPDX-License-Identifier: Apache-2.0
"""Reads explained.toml: survivors that change nothing that a test could see, with reasons."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FILE = Path(__file__).resolve().parent / "explained.toml"


@dataclass(frozen=True)
class Explanation:
    """A line before and after the change, and the reason why no test can tell them apart."""

    file: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> str:
        return f"{self.file}: {self.before} => {self.after}"


def read() -> list[Explanation]:
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return [Explanation(**entry) for entry in content.get("survivor", [])]


def explanations() -> dict[str, str]:
    """Return the reasons, by Place.key."""
    return {entry.key: entry.reason for entry in read()}
