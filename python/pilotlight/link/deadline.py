# SPDX-License-Identifier: Apache-2.0
"""The one clock every wait shares."""

from __future__ import annotations

import time


class Deadline:
    """A point in monotonic time. Pass it down; never pass a fresh timeout."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.seconds = seconds

    @property
    def remaining(self) -> float:
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.remaining == 0.0

    def within(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now, or this one if it comes first."""
        return self if self.remaining <= seconds else Deadline(seconds)
