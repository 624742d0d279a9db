# SPDX-License-Identifier: Apache-2.0
"""The clock that all waits share.

A deadline ends a wait for something that will never come. On a busy machine everything takes longer
although nothing is wrong. So this clock runs more slowly on a busy machine: it leaves out the time
in which tasks waited for a processor. The clock never runs slower than a tenth of real time, so
every wait ends.

The waiting time comes from Linux pressure stall information (`/proc/pressure/cpu`, line `some`).
The time that a hypervisor took away comes from `/proc/stat`, column `steal`. Without these files
the clock shows real time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

_SLOWEST = 0.1
_PRESSURE = Path("/proc/pressure/cpu")
_STAT = Path("/proc/stat")
_STEAL_COLUMN = 8


class Clock:
    """A clock that leaves out `waited_s`, a growing number of seconds."""

    def __init__(self, real_s: Callable[[], float], waited_s: Callable[[], float]) -> None:
        self._real_s, self._waited_s = real_s, waited_s
        self._lock = threading.RLock()
        self._reading = False
        self._now = 0.0
        self._last_real, self._last_waited = real_s(), waited_s()

    def now(self) -> float:
        """Return the seconds on this clock since it was created."""
        with self._lock:
            if self._reading:  # A signal handler interrupted a reading and asks for the time.
                return self._now
            self._reading = True
            try:
                real, waited = self._real_s(), self._waited_s()
                passed = real - self._last_real
                self._now += max(_SLOWEST * passed, min(passed, passed - (waited - self._last_waited)))
                self._last_real, self._last_waited = real, waited
            finally:
                self._reading = False
            return self._now


def waited_for_processor_s() -> float:
    """Return the seconds that tasks of this machine have waited for a processor since boot."""
    return _pressure_s() + _stolen_s()


def _pressure_s() -> float:
    try:
        some = _PRESSURE.read_text(encoding="ascii").splitlines()[0]
        return int(some.rpartition("total=")[2]) * 1e-6
    except (OSError, IndexError, ValueError):
        return 0.0


def _stolen_s() -> float:
    try:
        all_processors = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()
        return int(all_processors[_STEAL_COLUMN]) / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)
    except (OSError, IndexError, ValueError):
        return 0.0


_CLOCK = Clock(time.monotonic, waited_for_processor_s)


def now_s() -> float:
    """Return this process's time on the shared clock, in seconds."""
    return _CLOCK.now()


class Deadline:
    """A point in time on the shared clock. Pass it down; never pass a fresh timeout."""

    def __init__(self, seconds: float) -> None:
        self._end = now_s() + seconds
        self.seconds = seconds

    @property
    def remaining(self) -> float:
        """Seconds left on this clock. On a busy machine, these seconds take longer in real time."""
        return max(0.0, self._end - now_s())

    @property
    def passed(self) -> bool:
        return self.remaining == 0.0

    def within(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now, or this one if it is earlier."""
        return self if self.remaining <= seconds else Deadline(seconds)


class Alarm:
    """Calls `action` in the main thread after `seconds` on the shared clock, unless cancelled.

    An alarm uses SIGALRM and the process's interval timer, so there can be only one alarm at a
    time.
    """

    _SHORTEST_S = 0.01

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self._deadline, self._action = Deadline(seconds), action
        self._before = signal.signal(signal.SIGALRM, self._ring)
        self._set()

    def cancel(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _set(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(self._deadline.remaining, self._SHORTEST_S))

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._deadline.passed:
            self._action()
        else:
            self._set()
