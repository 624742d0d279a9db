# SPDX-License-Identifier: Apache-2.0
"""What the estimate of cycles consists of: work, the datapath's time, memories and their speed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

# Vela takes a memory to reach this share of what its outstanding accesses would allow.
_USABLE = 0.8
_WORD_BYTES = 16


@dataclass(frozen=True)
class Work:
    """The work of an operation. read_bytes, written_bytes: by region index."""

    macs: int
    elements: int
    read_bytes: Mapping[int, int]
    written_bytes: Mapping[int, int]


@dataclass(frozen=True)
class Cycles:
    """The estimated cycles of an operation.

    total: the delay of the next operation, at least 1.
    mac, output: cycles in which the multipliers and the output unit are busy.
    hidden: cycles of memory accesses in which a copy runs beside the previous operation, or a
        kernel beside the earlier ones of its chain; not in `total`.
    """

    total: int
    mac: int
    output: int
    hidden: int = 0


NO_CYCLES = Cycles(0, 0, 0)


@dataclass(frozen=True)
class Port:
    """The memory behind an AXI port.

    bytes_per_cycle: of all buses together, by the memory's share of the core clock.
    The other numbers are only known for U85, and count only there.
    buses: number of buses.
    burst_bytes: size of the longest burst. A shorter burst takes as long.
    read_latency, write_latency: in cycles, at least 1.
    reads, writes: the most outstanding bursts on a bus.
    """

    bytes_per_cycle: float
    buses: int = 1
    burst_bytes: int = 1
    read_latency: int = 1
    write_latency: int = 1
    reads: int = 1
    writes: int = 1


@dataclass(frozen=True)
class MemorySpeed:
    """The two AXI ports. The first serves SRAM, the second flash or DRAM."""

    first: Port
    second: Port

    def of(self, port: int) -> Port:
        return self.second if port else self.first


class MemoryChannel(Enum):
    """The channels between memory and the NPU. Those that read have buffers for outstanding words.

    STREAM serves the inputs of elementwise operations and resizes, and the second input of matrix
    products.
    """

    COPY = 0
    STREAM = 1
    WEIGHTS = 2
    FAST_WEIGHTS = 3
    INPUT = 4
    SCALES = 5
    OUTPUT = 6


@dataclass(frozen=True)
class Transfer:
    """Bytes between a region and the NPU.

    run_bytes: how many are adjacent and can be in one burst.
    buffered_words: the channel's buffer in words of 16 bytes; OUTPUT has none.
    """

    channel: MemoryChannel
    region: int
    size_bytes: int
    run_bytes: int
    buffered_words: int = 0

    def moved_bytes(self, port: Port) -> float:
        """Return the bytes including those that short bursts waste."""
        return self.size_bytes * port.burst_bytes / max(1, min(self.run_bytes, port.burst_bytes))

    def latency(self, port: Port) -> int:
        return port.write_latency if self.channel is MemoryChannel.OUTPUT else port.read_latency

    def cycles(self, port: Port) -> float:
        """Return the time of this transfer alone."""
        return self.latency(port) + self.moved_bytes(port) / port.bytes_per_cycle

    def channel_rate(self, port: Port) -> float:
        """Return the bytes per cycle that the channel reaches: each burst takes the latency."""
        if self.channel is MemoryChannel.OUTPUT:
            bursts = port.writes * port.buses * _USABLE
        else:
            buffered = self.buffered_words / max(1, port.burst_bytes // _WORD_BYTES)
            bursts = min(port.reads * port.buses * _USABLE, buffered)
        return min(port.bytes_per_cycle, port.burst_bytes * bursts / self.latency(port) * _USABLE)


def busiest(transfers: Iterable[Transfer], ports: tuple[int, ...], speed: MemorySpeed) -> float:
    """Return the time of transfers that run in parallel: that of the slowest port or channel."""
    by_port: defaultdict[int, float] = defaultdict(float)
    by_channel: defaultdict[tuple[int, MemoryChannel], float] = defaultdict(float)
    for transfer in transfers:
        number = ports[transfer.region]
        port = speed.of(number)
        moved = transfer.moved_bytes(port)
        by_port[number] += moved / port.bytes_per_cycle
        by_channel[number, transfer.channel] += moved / transfer.channel_rate(port)
    return max((*by_port.values(), *by_channel.values()), default=0.0)


# The system configurations in Vela's vela.ini. Flash cannot be written.
MEMORY_SPEEDS = {
    "Ethos_U55_Deep_Embedded": MemorySpeed(Port(8.0), Port(0.5)),
    "Ethos_U55_High_End_Embedded": MemorySpeed(Port(8.0), Port(1.0)),
    "Ethos_U65_Embedded": MemorySpeed(Port(16.0), Port(1.0)),
    "Ethos_U65_Mid_End": MemorySpeed(Port(16.0), Port(7.5)),
    "Ethos_U65_High_End": MemorySpeed(Port(16.0), Port(3.75)),
    "Ethos_U65_Client_Server": MemorySpeed(Port(16.0), Port(12.0)),
    "Ethos_U85_SYS_Flash_Low": MemorySpeed(Port(32.0, 2, 64, 8, 8, 8, 8), Port(1.0, 1, 128, 32, 1, 2, 1)),
    "Ethos_U85_SYS_Flash_High": MemorySpeed(Port(32.0, 2, 64, 32, 32, 8, 8), Port(1.0, 1, 128, 64, 1, 2, 1)),
    "Ethos_U85_SYS_DRAM_Low": MemorySpeed(Port(32.0, 2, 64, 16, 16, 8, 8), Port(7.5, 1, 128, 500, 250, 24, 12)),
    "Ethos_U85_SYS_DRAM_Mid": MemorySpeed(Port(32.0, 2, 64, 32, 32, 8, 8), Port(12.0, 1, 128, 500, 250, 64, 32)),
    "Ethos_U85_SYS_DRAM_High": MemorySpeed(Port(64.0, 4, 64, 32, 32, 8, 8), Port(24.0, 2, 128, 500, 250, 64, 32)),
}


@dataclass(frozen=True)
class Datapath:
    """Cycles of the multipliers, of the output unit, and of both together.

    ifm_bytes: size of an input element, at most 4.
    beside: cycles of the operation that a copy runs beside.
    """

    mac: int
    output: int
    total: int
    ifm_bytes: int = 1
    beside: int = 0

    def cycles(self, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> Cycles:
        """Return the time with memory accesses. ports: the AXI port of each region."""
        memory = self.memory_cycles(work, ports, speed)
        hidden = min(memory, self.beside)
        return Cycles(max(self.total, memory - hidden, 1), self.mac, self.output, hidden)

    def memory_cycles(self, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> int:
        """Return the time of the accesses on the busiest port."""
        moved = [0, 0]
        for sizes in (work.read_bytes, work.written_bytes):
            for region, size_bytes in sizes.items():
                moved[ports[region]] += size_bytes
        return max(math.ceil(size / speed.of(port).bytes_per_cycle) for port, size in enumerate(moved))
