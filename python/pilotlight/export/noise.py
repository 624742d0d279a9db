# SPDX-License-Identifier: Apache-2.0
"""Keeps what upstream libraries print away from the user's terminal, and keeps it.

Vela and the TOSA reference model print from C++ to the file descriptors, PyTorch to sys.stderr and to loggers;
both ways lead to one log file while `captured` is active.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path


class NoiseLog:
    """One log file. Not reentrant, and the descriptors belong to the process: one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace")

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
            with contextlib.redirect_stdout(self._file), contextlib.redirect_stderr(self._file):
                yield
        finally:
            self._file.flush()
            _flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)  # C++ libraries buffer in stdio; it must not land on the wrong side.
