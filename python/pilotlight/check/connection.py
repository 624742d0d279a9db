# SPDX-License-Identifier: Apache-2.0
"""Connects to the powered target, and finds out why a target died."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pilotlight import targets
from pilotlight.deadline import Deadline
from pilotlight.errors import LinkTimeout, PilotlightError, TargetDied
from pilotlight.link import Link, open_link

# A supervisor notices within this time that emulator or simulator has died.
OBITUARY_S = 2.0


@dataclass(frozen=True)
class Target:
    """A connected target.

    obituary: returns why the target died, "" while it is alive.
    resets: returns the number of resets since connecting, and the reason of the last one.
    """

    link: Link
    obituary: Callable[[], str]
    resets: Callable[[], tuple[int, str]] = lambda: (0, "")


def connect(build_dir: Path, deadline: Deadline) -> Target:
    """Connect to the build's powered target."""

    def obituary() -> str:
        state = targets.status(build_dir)
        if state.resets_repeatedly:
            return state.reason + targets.last_fault(build_dir)
        if not state.running:
            return state.reason or f"it is {state.phase}"
        return state.npu_ended

    def resets() -> tuple[int, str]:
        return targets.status(build_dir).reboots - before, targets.last_fault(build_dir)

    before = targets.status(build_dir).reboots
    return Target(open_link(targets.connect(build_dir), deadline), obituary, resets)


def cause_of_death(target: Target, error: PilotlightError) -> PilotlightError:
    """Return TargetDied with the cause if the target has died or reset, else `error`."""
    patience = Deadline(OBITUARY_S)
    while not (reason := target.obituary()) and not patience.passed:
        time.sleep(0.05)
    if reason:
        return TargetDied(f"the target died during the check: {reason}\n  noticed by: {error}", hint="west flash")
    count, why = target.resets()
    # Unless the error is a timeout, it already reports one reset.
    if count > (not isinstance(error, LinkTimeout)):
        times = "once" if count == 1 else f"{count} times"
        return TargetDied(
            f"the target reset {times} during the check{why}\n  noticed by: {error}", hint=targets.RESETS_HINT
        )
    return error
