# SPDX-License-Identifier: Apache-2.0
"""Runs Vela in another process, so that a crash of its native compiler does not end the export.

On some graphs the compiler recurses until the stack is used up. The process is a copy of this one
(fork), because Vela is already loaded in it. A new Python process would take a second for each
delegate.
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
    """A signal ended the process. The message names the signal."""


@contextmanager
def vela_in_its_own_process() -> Iterator[None]:
    """During the block, ExecuTorch's calls of Vela's main function run in a copy of this process.

    Vela's results are files. A call raises RuntimeError with the text of Vela's exception,
    VelaCrashed after a crash, OSError (ENOSPC) if the disk is full.
    """
    run_here = arm_vela.vela.main

    def run_in_a_copy(arguments: Sequence[str]) -> None:
        read, write = os.pipe()
        _flush()  # Without this flush, the copy would write the buffered text too.
        with warnings.catch_warnings():
            # Python warns about fork in a process with threads. The copy runs only Vela, and it
            # ends without cleaning up.
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
    """Run Vela in the copy and end it: with 0, or with a code and the error's text in `write`."""
    faulthandler.disable()  # The exit code shows a crash.
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
