# SPDX-License-Identifier: Apache-2.0
"""How long an operation takes: an estimate, for counters that move and traces that can be read.

The datapath is taken as busy for (multiplications / MAC units) or, without any, one element per MAC-unit group and
cycle; the bus as moving each tensor once at full width. An operation takes as long as the longer of the two. Real
hardware reads inputs more than once and stalls; see DESIGN.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Elements per cycle of the output unit, per MAC unit. From Vela's performance model: 8 for 256 MACs.
_OUTPUT_SHARE = 32

# What an operation costs before the first element leaves.
_OPERATION_CYCLES = 32


@dataclass(frozen=True)
class Work:
    """What an operation did. Bytes are per region index; -1 stands for the command stream."""

    macs: int
    elements: int
    read_bytes: Mapping[int, int]
    written_bytes: Mapping[int, int]


@dataclass(frozen=True)
class Cycles:
    total: int
    mac: int
    output: int


def estimate(work: Work, macs_per_cycle: int, axi_bytes_per_cycle: int) -> Cycles:
    mac = -(-work.macs // macs_per_cycle)
    output = -(-work.elements * _OUTPUT_SHARE // macs_per_cycle)
    moved = sum(work.read_bytes.values()) + sum(work.written_bytes.values())
    bus = -(-moved // axi_bytes_per_cycle)
    return Cycles(_OPERATION_CYCLES + max(mac, output, bus), mac, output)
