# SPDX-License-Identifier: Apache-2.0
"""Typed reads from a TOML table. Each error names file, key and value."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pilotlight.errors import ConfigError

# Keys whose values are shown in hexadecimal.
_ADDRESSES = ("origin", "size", "base", "counter_base", "boot_address")


def _as_written(key: str, value: Any) -> str:
    """Return a value as in board.toml: addresses and sizes in hexadecimal."""
    return f"{value:#_x}" if key in _ADDRESSES and type(value) is int else repr(value)


class Table:
    """One table of a TOML file, with typed reads. done() refuses keys that were not read."""

    def __init__(self, path: Path, where: str, raw: Mapping[str, Any]) -> None:
        self.path, self._where, self._raw, self._read = path, where, raw, set[str]()

    def fail(self, key: str, problem: str, hint: str = "") -> NoReturn:
        name = f"{self._where}.{key}" if self._where else key
        value = self._raw.get(key, {})
        shown = "" if isinstance(value, dict) else f" = {_as_written(key, value)}"
        raise ConfigError(f"{name}{shown}: {problem}\n  in {self.path}", hint=hint)

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def _get(self, key: str, kind: type, kind_name: str) -> Any:
        self._read.add(key)
        if key not in self._raw:
            near = difflib.get_close_matches(key, self._raw.keys() - self._read, n=1)
            self.fail(key, f"missing; it must be {kind_name}", hint=f"{key} instead of {near[0]}" if near else "")
        value = self._raw[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(key, f"must be {kind_name}")
        return value

    def text(self, key: str, allowed: tuple[str, ...] = ()) -> str:
        value = self._get(key, str, "a string")
        if allowed and value not in allowed:
            self.fail(key, f"must be one of {', '.join(allowed)}")
        return str(value)

    def number(self, key: str, low: int, high: int) -> int:
        value = self._get(key, int, "a whole number")
        if not low <= value <= high:
            self.fail(key, f"must lie in {_as_written(key, low)}..{_as_written(key, high)}")
        return int(value)

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))

    def texts(self, key: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
        values = self._get(key, list, "a list of strings")
        for value in values:
            if not isinstance(value, str):
                self.fail(key, "must be a list of strings")
            if allowed and value not in allowed:
                self.fail(key, f"{value!r} must be one of {', '.join(allowed)}")
        if len(set(values)) != len(values):
            self.fail(key, "names something twice")
        return tuple(values)

    def table(self, key: str) -> Table:
        raw = self._get(key, dict, "a table")
        return Table(self.path, f"{self._where}.{key}" if self._where else key, raw)

    def done(self) -> None:
        for key in self._raw:
            if key not in self._read:
                near = difflib.get_close_matches(key, self._read, n=1)
                known = ", ".join(sorted(self._read))
                self.fail(
                    key, "unknown key", hint=f"{near[0]} instead of {key}" if near else f"keys known here: {known}"
                )
