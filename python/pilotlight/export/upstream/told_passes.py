# SPDX-License-Identifier: Apache-2.0
"""Tells which of upstream's passes is running, and how many of a delegate's passes are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from executorch.backends.arm._passes import arm_pass_manager
from executorch.backends.arm._passes.arm_pass_manager import ArmPassManager


@contextmanager
def told_passes(tell: Callable[[str], None]) -> Iterator[None]:
    """During the block, tell a percentage and a name before each pass."""
    adapter: Any = arm_pass_manager._ExportedProgramGraphPassAdapter
    transform, run = ArmPassManager._transform, adapter.call
    passes, done = 1, 0

    def transform_and_count(manager: Any, *programs: Any) -> Any:
        nonlocal passes, done
        passes, done = len(manager.passes), 0
        return transform(manager, *programs)

    def tell_and_run(wrapped: Any, program: Any) -> Any:
        nonlocal done
        tell(f"  {100 * done // passes} % of the passes for the NPU, now {type(wrapped.graph_pass).__name__}")
        done += 1
        return run(wrapped, program)

    ArmPassManager._transform, adapter.call = transform_and_count, tell_and_run
    try:
        yield
    finally:
        ArmPassManager._transform, adapter.call = transform, run
