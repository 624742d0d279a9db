# SPDX-License-Identifier: Apache-2.0
"""The plan of an operation."""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.npu.hardware.output import Run
from pilotlight.npu.stream.faults import MalformedStream

# A limit of this simulator, not of the hardware: some seconds of work in one operation.
_MOST_MACS = 1 << 35


@dataclass(frozen=True)
class Plan:
    """run: executes the operation. macs, elements: how much work the operation is."""

    run: Run
    elements: int = 0
    macs: int = 0


def check_work(macs: int) -> None:
    """Raise MalformedStream if an operation would take too long."""
    if macs > _MOST_MACS:
        raise MalformedStream(f"{macs} multiplications in one operation are beyond this simulator")
