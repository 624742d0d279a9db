# SPDX-License-Identifier: Apache-2.0
"""Child processes that cannot outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def start_child(
    command: Sequence[str], *, log: Path, descriptors: Sequence[int] = (), environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `command`. The kernel kills the child when this process ends for any reason.

    The child's standard output and error go to `log`. `descriptors` stay open in the child under
    the same numbers.
    """
    parent = os.getpid()

    def tie_to_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before prctl()
            os._exit(1)

    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            env={**os.environ, **(environment or {})},
            # A session of its own, so that Ctrl-C in the user's terminal does not reach it.
            start_new_session=True,
            preexec_fn=tie_to_parent,
        )


def how_it_ended(code: int) -> str:
    """Return an exit code in words.

    >>> how_it_ended(-9), how_it_ended(2)
    ('killed by SIGKILL', 'exit code 2')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def last_line(log: Path) -> str:
    """Return the last line that a child printed, for a message; "" if there is none.

    After a fatal error QEMU prints all registers, so its line "qemu: fatal: ..." is preferred.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    fatal = [line for line in lines if line.startswith("qemu: fatal: ")]
    return (fatal or lines or [""])[-1].strip()
