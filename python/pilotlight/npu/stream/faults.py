# SPDX-License-Identifier: Apache-2.0
"""Why the NPU stops before the end of a stream.

None of these leaves the device: it turns them into STATUS bits and keeps the text for the log.
"""

from __future__ import annotations

from enum import IntEnum


class Channel(IntEnum):
    """STATUS.faulting_channel: which of the NPU's bus masters made the access."""

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
    """The stream is not one, or asks for what the hardware cannot do: STATUS.cmd_parse_error."""


class BadWeights(NpuStop):
    """A weight stream does not decode to the weights of its operation: STATUS.wd_fault."""


class BusFault(Exception):
    """No memory, or read-only memory, behind an address. Raised by the memory, which does not know the channel."""


class BusAbort(NpuStop):
    """A bus fault and the channel it happened on: STATUS.bus_status.

    region: the region index of the access, or None for the command stream itself; it says which AXI interface.
    """

    def __init__(self, message: str, channel: Channel, region: int | None) -> None:
        super().__init__(message)
        self.channel = channel
        self.region = region
