# SPDX-License-Identifier: Apache-2.0
"""firmware/indirect_calls.toml: what is called through pointers, and how deep recursion goes."""

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


@dataclass(frozen=True)
class IndirectCall:
    """Names are C++ names as in the source, matched from their beginning."""

    callers: re.Pattern[str]
    callees: re.Pattern[str]


@dataclass(frozen=True)
class Recursion:
    """`depth` calls of a function may be active at a time; `why` that is so."""

    function: re.Pattern[str]
    depth: int
    why: str


@dataclass(frozen=True)
class DeclaredCalls:
    indirect: tuple[IndirectCall, ...]
    recursion: tuple[Recursion, ...]


def load_declared_calls(path: Path = TABLE) -> DeclaredCalls:
    """Raises ConfigError naming the entry that is wrong."""
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
