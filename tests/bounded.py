# SPDX-License-Identifier: Apache-2.0
"""Runs a program that may hang, in places where no test's time limit ends it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from pilotlight.deadline import Deadline

_LOOK_INTERVAL_S = 1.0


def run(
    command: Sequence[str], limit_s: float, *, input: Any = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Like subprocess.run() without `check`; the limit counts on the clock of pilotlight.deadline.

    Raises subprocess.TimeoutExpired, after it ended the program.
    """
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **options) as process:
        try:
            out, err = wait(process, limit_s, input)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def wait(process: subprocess.Popen[Any], limit_s: float, input: Any = None) -> tuple[Any, Any]:
    """Like Popen.communicate(), with such a limit. The program goes on when the limit is passed."""
    deadline = Deadline(limit_s)
    while True:
        try:
            return process.communicate(input, timeout=min(_LOOK_INTERVAL_S, deadline.remaining))
        except subprocess.TimeoutExpired:
            input = None  # communicate() remembers the input of its first call.
            if deadline.passed:
                raise subprocess.TimeoutExpired(process.args, limit_s) from None


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    """Wait for `condition`. After `limit_s`, an AssertionError names `what` did not happen."""
    deadline = Deadline(limit_s)
    while not condition():
        assert not deadline.passed, f"not within {limit_s:g} s: {what}"
        time.sleep(0.01)
