# SPDX-License-Identifier: Apache-2.0
"""Reads firmware/indirect_calls.toml: targets of pointer calls, and depths of recursion."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError
from pilotlight.paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = ROOT / "firmware" / "indirect_calls.toml"
# The callee of a pointer that may be null, or of a list that may be empty.
NO_FUNCTION = "nothing"


@dataclass(frozen=True)
class IndirectCall:
    """Patterns for C++ names as in the source, matched from the start of the name."""

    callers: re.Pattern[str]
    callees: re.Pattern[str]


@dataclass(frozen=True)
class Recursion:
    """At most `depth` calls of a function are active at a time; `why` gives the reason."""

    function: re.Pattern[str]
    depth: int
    why: str


@dataclass(frozen=True)
class DeclaredCalls:
    """The contents of firmware/indirect_calls.toml."""

    indirect: tuple[IndirectCall, ...]
    recursion: tuple[Recursion, ...]


def load_declared_calls(path: Path = TABLE) -> DeclaredCalls:
    """Read the table. Raises ConfigError if the table cannot be read or an entry is wrong."""
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        indirect = tuple(
            IndirectCall(_pattern(entry["callers"]), _pattern(entry["callees"])) for entry in raw.get("indirect", ())
        )
        recursion = tuple(
            Recursion(_pattern([entry["function"]]), int(entry["depth"]), str(entry["why"]))
            for entry in raw.get("recursion", ())
        )
    except (OSError, KeyError, TypeError, ValueError, re.error) as error:
        raise ConfigError(
            f"{path}: {error!r}", hint="each entry has `callers` and `callees`, lists of patterns"
        ) from error
    return DeclaredCalls(indirect, recursion)


def _pattern(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
