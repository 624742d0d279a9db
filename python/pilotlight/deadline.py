# SPDX-License-Identifier: Apache-2.0
"""The clock that every wait shares.

A deadline ends a wait for something that will never come. On a busy machine everything takes longer, and
nothing is wrong. So this clock runs more slowly there: time in which tasks waited for a processor does not
count, down to a tenth of real time. A wait therefore always ends.

Source of the waiting time: Linux pressure stall information (`/proc/pressure/cpu`, line `some`) and the
time that a hypervisor took away (`/proc/stat`, column `steal`). Without these files the clock shows real
time.
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
    """Seconds, in which `waited_s` (a growing number of seconds) does not count."""

    def __init__(self, real_s: Callable[[], float], waited_s: Callable[[], float]) -> None:
        self._real_s, self._waited_s = real_s, waited_s
        self._lock = threading.RLock()
        self._reading = False
        self._now = 0.0
        self._last_real, self._last_waited = real_s(), waited_s()

    def now(self) -> float:
        with self._lock:
            if self._reading:  # A signal came in the midst of this, and its handler asks for the time.
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
    """Return for how many seconds tasks of this machine have waited for a processor since it started."""
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
    """Return the seconds that have passed on this process's clock."""
    return _CLOCK.now()


class Deadline:
    """A point in time on the shared clock. Pass it down; never pass a fresh timeout."""

    def __init__(self, seconds: float) -> None:
        self._end = now_s() + seconds
        self.seconds = seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left; on a busy machine more than that pass until the end."""
        return max(0.0, self._end - now_s())

    @property
    def passed(self) -> bool:
        return self.remaining == 0.0

    def within(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now, or this one if it comes first."""
        return self if self.remaining <= seconds else Deadline(seconds)


class Alarm:
    """Calls `action` in the main thread when `seconds` have passed on the shared clock, unless cancelled.

    It takes SIGALRM and the interval timer of the process: one alarm at a time.
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
