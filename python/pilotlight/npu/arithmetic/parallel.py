# SPDX-License-Identifier: Apache-2.0
"""Divides the rows of a large operation among the cores.

NumPy, BLAS and the compiled loops run without Python's lock, so threads are enough.

    PILOTLIGHT_SIMULATOR_CORES   the number of cores to use (default: those of this process)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pilotlight.npu.arithmetic.scratch import Scratch

# With less work, waking a thread costs more than it saves. The unit is a MAC.
_LEAST_WORK = 1 << 23


class Cores:
    """The threads of one engine, and a scratch memory for each."""

    def __init__(self) -> None:
        self._scratches = [Scratch()]

    @property
    def scratch(self) -> Scratch:
        """The scratch memory of the calling thread."""
        return self._scratches[0]

    def divide(self, rows: int, work: int, compute: Callable[[int, int, Scratch], None]) -> None:
        """Call compute(top, bottom, scratch) once or for several parts, until all rows are done.

        work: MACs. The parts run at the same time, so they must write to different memory.
        """
        parts = min(core_count(), rows) if work >= _LEAST_WORK else 1
        if parts == 1:
            compute(0, rows, self.scratch)
            return
        while len(self._scratches) < parts:
            self._scratches.append(Scratch())
        ends = [rows * part // parts for part in range(parts + 1)]
        others = [
            _pool().submit(compute, ends[part], ends[part + 1], self._scratches[part]) for part in range(1, parts)
        ]
        try:
            compute(ends[0], ends[1], self.scratch)
        finally:
            for other in others:
                other.result()


@cache
def core_count() -> int:
    chosen = os.environ.get("PILOTLIGHT_SIMULATOR_CORES", "")
    return max(1, int(chosen)) if chosen.isdecimal() else len(os.sched_getaffinity(0))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(core_count(), "pilotlight-npu")


# A process that was forked has no threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
