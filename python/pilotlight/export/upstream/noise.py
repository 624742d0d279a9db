# SPDX-License-Identifier: Apache-2.0
"""Redirects the output of upstream libraries from the user's terminal to a log file.

Vela and the TOSA reference model print from C++ to file descriptors. PyTorch prints to sys.stderr
and to loggers. While `captured` is active, both go to the log file.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO


class NoiseLog:
    """One log file. Not reentrant. Only one thread may use it at a time, because descriptors are
    per process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", buffering=1, encoding="utf-8", errors="backslashreplace")
        # Copies of descriptors 1 and 2 while output is captured.
        self._saved: list[int] = []

    def close(self) -> None:
        self._file.close()

    def write(self, line: str) -> None:
        print(line, file=self._file, flush=True)

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """Redirect descriptors 1 and 2, sys.stdout and sys.stderr to the log during the block."""
        _flush()
        self._saved = [os.dup(descriptor) for descriptor in (1, 2)]
        try:
            self._point_at([self._file.fileno()] * 2)
            with _STDOUT.leading_to(self._file), _STDERR.leading_to(self._file):
                yield
        finally:
            self._file.flush()
            self._point_at(self._saved)
            for original in self._saved:
                os.close(original)
            self._saved = []

    @contextlib.contextmanager
    def interrupted(self) -> Iterator[None]:
        """During the block, output goes to the user's terminal, also inside `captured`."""
        if not self._saved:
            yield
            return
        self._point_at(self._saved)
        try:
            with _STDOUT.bypassed(), _STDERR.bypassed():
                yield
        finally:
            self._point_at([self._file.fileno()] * 2)

    @staticmethod
    def _point_at(targets: Sequence[int]) -> None:
        """Make descriptors 1 and 2 copies of `targets`."""
        _flush()
        for descriptor, target in zip((1, 2), targets, strict=True):
            os.dup2(target, descriptor)


class _Stand(io.TextIOBase):
    """Replaces sys.stdout or sys.stderr while `captured` is active.

    A log handler that a library creates during its import keeps this object for good. So the object
    must outlive the log, and afterwards it writes to the real stream.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._log: TextIO | None = None
        self._real: TextIO | None = None

    @contextlib.contextmanager
    def leading_to(self, log: TextIO) -> Iterator[None]:
        self._real = getattr(sys, self._name)
        self._log = log
        setattr(sys, self._name, self)
        try:
            yield
        finally:
            setattr(sys, self._name, self._real)
            self._log = self._real = None

    @contextlib.contextmanager
    def bypassed(self) -> Iterator[None]:
        """During the block, inside `leading_to`, the real stream is in its place again."""
        setattr(sys, self._name, self._real)
        try:
            yield
        finally:
            setattr(sys, self._name, self)

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
    # C++ libraries buffer in stdio. Without a flush here, the output of these libraries could go to
    # the wrong file.
    ctypes.CDLL(None).fflush(None)
