# SPDX-License-Identifier: Apache-2.0
"""Runs a program that may hang, in places where no test's time limit ends it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from pilotlight.deadline import Deadline

_LOOK_INTERVAL_S = 1.0


def run(
    command: Sequence[str], limit_s: float, *, input: bytes | None = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Like subprocess.run() without `check`; the limit counts on the clock of pilotlight.deadline.

    Raises subprocess.TimeoutExpired, after it ended the program.
    """
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with tempfile.TemporaryFile() as given:
        if input is not None:
            # A file and no pipe: after a first time-out, communicate() would write no more of it.
            given.write(input)
            given.seek(0)
            options["stdin"] = given
        with subprocess.Popen(command, **options) as process:
            try:
                out, err = wait(process, limit_s)
            except BaseException:
                process.kill()
                raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def wait(process: subprocess.Popen[Any], limit_s: float) -> tuple[Any, Any]:
    """Like Popen.communicate(), with such a limit. The program goes on when the limit is passed."""
    deadline = Deadline(limit_s)
    while True:
        try:
            return process.communicate(timeout=min(_LOOK_INTERVAL_S, deadline.remaining))
        except subprocess.TimeoutExpired:
            if deadline.passed:
                raise subprocess.TimeoutExpired(process.args, limit_s) from None


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    """Wait for `condition`. After `limit_s`, an AssertionError names `what` did not happen."""
    deadline = Deadline(limit_s)
    while not condition():
        assert not deadline.passed, f"not within {limit_s:g} s: {what}"
        time.sleep(0.01)
