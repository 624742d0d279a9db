# SPDX-License-Identifier: Apache-2.0
"""Runs Vela in a process of its own, so that a crash of its native compiler does not end the export.

Some graphs make that compiler call itself without end, until the stack is used up. The process is a copy of
this one (fork): Vela is loaded already, and starting another Python would cost a second for each delegate.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from executorch.backends.arm import arm_vela

from pilotlight.files import storage_full

_REFUSED, _NO_ROOM = 1, 2


class VelaCrashed(Exception):
    """The process was ended by a signal; the message names it."""


@contextmanager
def vela_in_its_own_process() -> Iterator[None]:
    """During the block, ExecuTorch's calls of Vela's main function run in a copy of this process.

    Vela's results are files. An exception comes back as RuntimeError with its words.
    """
    run_here = arm_vela.vela.main

    def run_in_a_copy(arguments: Sequence[str]) -> None:
        read, write = os.pipe()
        _flush()  # What is buffered here would be written by the copy as well.
        with warnings.catch_warnings():
            # Python warns of fork beside threads. The copy runs nothing but Vela, and ends without clean-up.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.close(read)
            _run_and_exit(run_here, arguments, write)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read().decode("utf-8", "replace")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status < 0:
            raise VelaCrashed(f"its compiler crashes ({signal.Signals(-status).name})")
        if status == _NO_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if status:
            raise RuntimeError(said)

    arm_vela.vela.main = run_in_a_copy
    try:
        yield
    finally:
        arm_vela.vela.main = run_here


def _run_and_exit(run: object, arguments: Sequence[str], write: int) -> None:
    """End the copy: with 0, or with another code and the words of the exception in the pipe."""
    faulthandler.disable()  # A crash is told by the exit code.
    status = 0
    try:
        run(arguments)  # type: ignore[operator]
    except BaseException as error:  # SystemExit too
        status = _REFUSED if storage_full(error) is None else _NO_ROOM
        os.write(write, str(error).encode())
    finally:
        try:
            _flush()
        finally:
            os._exit(status)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
