# SPDX-License-Identifier: Apache-2.0
"""Reasons for which the NPU stops before the end of a stream.

These exceptions never leave the device. The device turns each exception into STATUS bits and keeps
the text.
"""

from __future__ import annotations

from enum import IntEnum


class Channel(IntEnum):
    """The NPU's bus masters, with their values in STATUS.faulting_channel."""

    COMMAND = 0
    IFM = 1
    WEIGHTS = 2
    SCALE = 3
    MEM2MEM_READ = 4
    OFM = 8
    MEM2MEM_WRITE = 9


class NpuStop(Exception):
    """Base class."""


class MalformedStream(NpuStop):
    """The stream is malformed, or asks for an impossible operation: STATUS.cmd_parse_error."""


class BadBranch(MalformedStream):
    """A branch leads nowhere: STATUS.branch_fault."""


class BadWeights(NpuStop):
    """A weight stream does not decode, or has too few weights: STATUS.wd_fault."""


class BusFault(Exception):
    """There is no memory at an address, or it is read-only. Raised by `Memory`."""


class BusAbort(NpuStop):
    """A bus fault with its channel: STATUS.bus_status.

    region: index of the region, None for the command stream. It selects the AXI port.
    """

    def __init__(self, message: str, channel: Channel, region: int | None) -> None:
        super().__init__(message)
        self.channel = channel
        self.region = region
