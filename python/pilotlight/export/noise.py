# SPDX-License-Identifier: Apache-2.0
"""Keeps what upstream libraries print away from the user's terminal, and keeps it.

Vela and the TOSA reference model print from C++ to the file descriptors, PyTorch to sys.stderr and to loggers;
both ways lead to one log file while `captured` is active.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


class NoiseLog:
    """One log file. Not reentrant, and the descriptors belong to the process: one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", buffering=1, encoding="utf-8", errors="backslashreplace")

    def close(self) -> None:
        self._file.close()

    def write(self, line: str) -> None:
        print(line, file=self._file, flush=True)

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """Send descriptors 1 and 2, sys.stdout and sys.stderr to the log until the block ends."""
        _flush()
        saved = [os.dup(descriptor) for descriptor in (1, 2)]
        try:
            for descriptor in (1, 2):
                os.dup2(self._file.fileno(), descriptor)
            with _STDOUT.leading_to(self._file), _STDERR.leading_to(self._file):
                yield
        finally:
            self._file.flush()
            _flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


class _Stand(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr.

    Log handlers that a library makes while it is imported keep it for good, so it outlives the log: afterwards it
    leads to whatever the real stream is then.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._log: TextIO | None = None

    @contextlib.contextmanager
    def leading_to(self, log: TextIO) -> Iterator[None]:
        real = getattr(sys, self._name)
        self._log = log
        setattr(sys, self._name, self)
        try:
            yield
        finally:
            setattr(sys, self._name, real)
            self._log = None

    def write(self, text: str) -> int:
        return self._current().write(text)

    def flush(self) -> None:
        self._current().flush()

    def fileno(self) -> int:
        return {"stdout": 1, "stderr": 2}[self._name]

    def _current(self) -> TextIO:
        stream: TextIO = self._log or getattr(sys, self._name)
        return stream


_STDOUT = _Stand("stdout")
_STDERR = _Stand("stderr")


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # C++ libraries buffer in stdio; it must not land on the wrong side.
