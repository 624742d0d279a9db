# SPDX-License-Identifier: Apache-2.0
"""A clock for tests with a fake device: the clock advances only when code reads it.

A test that waits 10 ms of real time for a fake device fails on a machine that is busy for 20 ms.
"""

from __future__ import annotations

import pytest

from pilotlight import deadline

_STEP_S = 1e-4


class StillClock:
    """Takes the place of the clock that all deadlines share. Each reading takes 0.1 ms of the
    clock's own time."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        self._now += _STEP_S
        return self._now


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a StillClock until the end of the test."""
    monkeypatch.setattr(deadline, "_CLOCK", StillClock())
