# SPDX-License-Identifier: Apache-2.0
"""The NPU as its driver sees it: registers, an interrupt line, and memory behind a bus.

A write of CMD.run executes the whole stream before it returns. No stream and no register access
raises an exception: faults become STATUS bits, and `last_fault` describes the fault in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

from pilotlight.npu.analysis.cycle_model import (
    MEMORY_SPEEDS,
    Cycles,
    Datapath,
    MemorySpeed,
    Work,
    datapaths_of,
    estimate,
)
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.hardware.engine import Engine, Executed
from pilotlight.npu.hardware.pmu import Pmu
from pilotlight.npu.hardware.registers import (
    ATTRIBUTE_SETS,
    CLEAR_HISTORY_BIT,
    CMD_RESET_VALUE,
    FAULTING_CHANNEL_BIT,
    FAULTS,
    IDENTIFICATION,
    IRQ_HISTORY_BIT,
    MEM_ATTR_PORT_BIT,
    PIDR0,
    PORT_CAPABILITY,
    REGIONS,
    Cmd,
    Event,
    Reg,
    RegU85,
    Status,
    stored_registers,
)
from pilotlight.npu.stream.configurations import configuration
from pilotlight.npu.stream.faults import BadBranch, BadWeights, BusAbort, Channel, NpuStop
from pilotlight.npu.stream.feature_map import access
from pilotlight.npu.stream.isa import Generation, Product
from pilotlight.npu.stream.memory import Memory

_WORD = 0xFFFF_FFFF
_NOTHING = Datapath(0, 0, 0)
_MAC_ACTIVE_BY_BYTES = {1: Event.MAC_ACTIVE_8BIT, 2: Event.MAC_ACTIVE_16BIT, 4: Event.MAC_ACTIVE_32BIT}


# Registers whose mirrors do not follow the rule, by opcode: DMA0_IDX_MAX and DMA0_IDX_SKIP1.
_MOVED_SHADOWS = {0x38: 0xBC0, 0x39: 0xBC8}


@cache
def _shadow_offsets(product: Product) -> dict[int, tuple[str, bool]]:
    """Return the registers that mirror NPU_SET commands: offset -> (command, is the payload)."""
    offsets: dict[int, tuple[str, bool]] = {}
    for command in product.commands:
        if command.starts_operation:
            continue
        if not command.has_payload:
            bank = 0 if command.opcode < 0x180 else 0x100
            offsets[Reg.SHADOW + bank + 4 * (command.opcode & 0x7F)] = (command.name, False)
        else:
            number, bank = command.opcode & 0x7F, 0x300 if command.opcode >= 0x80 else 0x200
            low = Reg.SHADOW + bank + 0x40 * (number >> 4) + 8 * (number & 0xF)
            if command.opcode in _MOVED_SHADOWS:
                low = _MOVED_SHADOWS[command.opcode]
            offsets[low] = (command.name, True)
            offsets[low + 4] = (command.name, False)
    return offsets


# The ports of the attribute sets of U55 and U65: sets 0 and 1 belong to M0, sets 2 and 3 to M1.
_FIXED_PORTS = (0, 0, 1, 1)


@lru_cache(maxsize=64)
def _ports(attributes: int, ports_of_sets: tuple[int, ...]) -> tuple[int, ...]:
    """Return the port of each region. attributes: the register REGIONCFG."""
    return tuple(ports_of_sets[attributes >> 2 * region & 3] for region in range(REGIONS))


# As integers: an operator of a flag takes 0.7 us.
_END_REACHED, _IRQ_RAISED, _FAULTS = int(Status.CMD_END_REACHED), int(Status.IRQ_RAISED), int(FAULTS)
_STREAM_PLACE = frozenset((Reg.QBASE, Reg.QBASE_HI, Reg.QSIZE))
_BASES = range(Reg.BASEP0, Reg.BASEP0 + 8 * REGIONS, 8)
_RUN, _CLEAR_IRQ = int(Cmd.RUN), int(Cmd.CLEAR_IRQ)


@dataclass(frozen=True)
class _Account:
    """The counts of an operation. The engine reuses `executed` in each run."""

    executed: Executed
    timed: Executed
    count_events: Callable[[], Mapping[int, int]]

    @cached_property
    def events(self) -> Mapping[int, int]:
        """The events for the PMU. Most inferences run without it."""
        return self.count_events()


class Device:
    """One Ethos-U.

    config: Arm's name of the configuration, for example "ethos-u55-128".
    memory: the memory of the bus masters. Base pointers are absolute addresses in it.
    reset_polls: number of reads of STATUS that show reset_status after a reset. Must be 0 if the
        registers are mirrored elsewhere, because reads are then not counted.
    on_executed: called after each operation. A caller may change the attribute between runs.
    weights: decoded weights, to share between devices.
    memory_speed: for the estimate of cycles; None stands for the usual memories of the product.
    strict: whether operations that are known to deviate on hardware end in a fault
        (stream/known_deviations.py).

    Raises ConfigError for a configuration that is not simulated.
    """

    def __init__(
        self,
        config: str,
        memory: Memory,
        *,
        reset_polls: int = 0,
        on_executed: Callable[[Executed], None] | None = None,
        weights: WeightCache | None = None,
        memory_speed: MemorySpeed | None = None,
        strict: bool = True,
    ) -> None:
        self.configuration = configuration(config)
        self.last_fault = ""
        self._second = self.configuration.product.generation is Generation.SECOND
        self._memory = memory
        self._reset_polls = reset_polls
        self.on_executed = on_executed
        self._memory_speed = memory_speed or MEMORY_SPEEDS[self.configuration.product.default_system]
        self._stream = b""
        self._ports = (0,) * REGIONS
        self._accounts: dict[int, _Account] = {}
        self._engine = Engine(
            self.configuration,
            memory,
            weights=weights,
            strict=strict,
            on_executed=self._executed,
            on_interrupt=self._raise_irq,
        )
        self._pmu = Pmu(self.configuration.product)
        self._registers = stored_registers(self.configuration.product)
        self._reset(0)

    @property
    def irq(self) -> bool:
        """The interrupt line. The line is high until the cause is cleared."""
        return bool(self._status & Status.IRQ_RAISED) or self._pmu.irq

    def read(self, offset: int) -> int:
        """Read a 32-bit register. Registers that do not exist read as 0."""
        if offset == Reg.STATUS:
            if self._polls_left:
                self._polls_left -= 1
                return int(Status.RESET_STATUS)
            running = int(Status.RUNNING) if self._running else 0
            return self._status | running | (int(Status.PMU_IRQ_RAISED) if self._pmu.irq else 0)
        if offset in self._registers:
            return self._stored.get(offset, 0)
        fixed = {
            Reg.ID: self.configuration.id_word,
            Reg.CONFIG: self.configuration.config_word,
            Reg.CMD: self._cmd,
            Reg.PROT: self._prot,
            Reg.QREAD: self._position(),
            Reg.CURRENT_QREAD: self._position(),
            PIDR0: self.configuration.product.peripheral_id,
        }
        if offset == RegU85.COND_STATUS and self._second:
            return int(self._engine.result_flag)
        if offset in (RegU85.CFG_SRAM_CAP, RegU85.CFG_EXT_CAP) and self._second:
            return PORT_CAPABILITY
        if offset in fixed:
            return fixed[offset]
        if offset in IDENTIFICATION:
            return IDENTIFICATION[offset]
        shadows = _shadow_offsets(self.configuration.product)
        if offset in shadows:
            name, payload = shadows[offset]
            return self._engine.state.words(name)[1 if payload else 0]
        if Reg.SHRAM <= offset < Reg.SHADOW and offset % 4 == 0:
            at = self._stored.get(Reg.DEBUG_ADDRESS, 0) + offset - Reg.SHRAM
            return int.from_bytes(self._engine.shram[at : at + 4].tobytes(), "little")
        return self._pmu.read(offset) or 0

    def write(self, offset: int, value: int) -> None:
        """Write a 32-bit register. A write to a read-only or missing register has no effect."""
        value &= _WORD
        if offset in self._registers:
            self._stored[offset] = value
            if offset in _STREAM_PLACE:
                self._status &= ~_END_REACHED
        elif offset == Reg.RESET:
            self._reset(value & 0x3)
        elif offset == Reg.CMD:
            self._command(value)
        else:
            self._pmu.write(offset, value)

    def _reset(self, protection: int) -> None:
        self._stored: dict[int, int] = {}
        self._status = 0
        self._cmd = int(CMD_RESET_VALUE)
        self._prot = protection
        self._qread = 0
        self._running = False
        self._polls_left = self._reset_polls
        self._pmu.reset()
        self._engine.reset()

    def _position(self) -> int:
        """Return QREAD. While a stream runs, QREAD is the byte offset of the present command."""
        return self._engine.position if self._running else self._qread

    def _command(self, value: int) -> None:
        self._cmd = value
        if value & _CLEAR_IRQ:
            self._status &= ~_IRQ_RAISED
        self._status &= ~(value >> CLEAR_HISTORY_BIT << IRQ_HISTORY_BIT)
        if value & _RUN and not self._status & _FAULTS and self._stored.get(Reg.QSIZE, 0):
            self._run()

    def _run(self) -> None:
        self._status &= ~_END_REACHED
        self.last_fault = ""
        self._engine.position = 0
        self._running = True
        try:
            size_bytes = self._stored[Reg.QSIZE]
            stream = access(self._memory, self._pair(Reg.QBASE), size_bytes, Channel.COMMAND, None).tobytes()
            self._prepare_accounts(stream)
            bases = tuple(map(self._pair, _BASES))
            stopped = self._engine.run(stream, bases)
            self._qread = stopped.position
            self._status |= _END_REACHED
            self._raise_irq(stopped.mask)
        except NpuStop as stop:
            self._fault(stop)
        finally:
            self._running = False
        self._count_commands(self._qread)

    def _prepare_accounts(self, stream: bytes) -> None:
        ports = _ports(self._stored.get(Reg.REGIONCFG, 0), self._ports_of_sets())
        if ports != self._ports or stream != self._stream:
            self._ports, self._stream, self._accounts = ports, stream, {}

    def _fault(self, stop: NpuStop) -> None:
        self._qread = self._engine.position
        self.last_fault = str(stop)
        if isinstance(stop, BusAbort):
            self._status |= int(Status.BUS_STATUS) | int(stop.channel) << FAULTING_CHANNEL_BIT
            if self._interface(stop.region):
                self._status |= int(Status.FAULTING_INTERFACE)
        elif isinstance(stop, BadBranch):
            self._status |= int(Status.BRANCH_FAULT)
        elif isinstance(stop, BadWeights) and not self._second:
            self._status |= int(Status.WD_FAULT)
        else:  # U85 has no bit for damaged weights.
            self._status |= int(Status.CMD_PARSE_ERROR)
        self._raise_irq(0)

    def _raise_irq(self, mask: int) -> None:
        self._status |= _IRQ_RAISED | mask << IRQ_HISTORY_BIT

    def _pair(self, offset: int) -> int:
        high = self._stored.get(offset + 4, 0) if self.configuration.product.address_bits > 32 else 0
        return (high & 0xFF) << 32 | self._stored.get(offset, 0)

    def _interface(self, region: int | None) -> int:
        """Return the AXI port of a region, or of the command stream if `region` is None."""
        if region is None:
            return _ports(self._stored.get(Reg.QCONFIG, 0) & 3, self._ports_of_sets())[0]
        return _ports(self._stored.get(Reg.REGIONCFG, 0), self._ports_of_sets())[region]

    def _ports_of_sets(self) -> tuple[int, ...]:
        """Return the port of each attribute set: 0 for M0 or SRAM, 1 for M1 or EXT."""
        if not self._second:
            return _FIXED_PORTS
        words = (self._stored.get(RegU85.MEM_ATTR0 + 4 * index, 0) for index in range(ATTRIBUTE_SETS))
        return tuple(word >> MEM_ATTR_PORT_BIT & 1 for word in words)

    def _executed(self, executed: Executed) -> None:
        account = self._accounts.get(executed.at)
        if account is None or account.executed is not executed:
            account = self._accounts[executed.at] = self._account(executed)
        if self._pmu.enabled:
            self._pmu.count(account.timed.cycles.total, account.events, mask_enabled=self._engine.pmu_enabled)
        if self.on_executed is not None:
            self.on_executed(account.timed)

    def _account(self, executed: Executed) -> _Account:
        work, stream, ports = executed.work, self._stream, self._ports

        def path() -> Datapath:
            return datapaths_of(stream, self.configuration).get(executed.at, _NOTHING)

        timed = replace(executed, estimate=lambda: estimate(path(), work, ports, self._memory_speed))
        return _Account(executed, timed, lambda: self._events(path(), work, timed.cycles, ports))

    def _events(self, path: Datapath, work: Work, cycles: Cycles, ports: tuple[int, ...]) -> Mapping[int, int]:
        beat = self.configuration.axi_bytes_per_cycle
        events: Counter[int] = Counter(
            {
                Event.CYCLE: cycles.total,
                Event.NPU_ACTIVE: cycles.total,
                Event.MAC_ACTIVE: cycles.mac,
                Event.AO_ACTIVE: cycles.output,
                Event.WD_ACTIVE: cycles.mac if work.macs else 0,
            }
        )
        if not self._second:
            events[_MAC_ACTIVE_BY_BYTES[path.ifm_bytes]] = cycles.mac
        reads = (Event.AXI0_RD_DATA_BEAT_RECEIVED, Event.AXI1_RD_DATA_BEAT_RECEIVED)
        writes = (Event.AXI0_WR_DATA_BEAT_WRITTEN, Event.AXI1_WR_DATA_BEAT_WRITTEN)
        for counters, moved in ((reads, work.read_bytes), (writes, work.written_bytes)):
            for region, size_bytes in moved.items():
                events[counters[ports[region]]] += -(-size_bytes // beat)
        return events

    def _count_commands(self, fetched_bytes: int) -> None:
        """Count the fetch of the stream. The estimate gives it no time."""
        if not self._pmu.enabled:
            return
        beats = -(-fetched_bytes // self.configuration.axi_bytes_per_cycle)
        event = Event.AXI1_RD_DATA_BEAT_RECEIVED if self._interface(None) else Event.AXI0_RD_DATA_BEAT_RECEIVED
        self._pmu.count(0, {event: beats}, mask_enabled=self._engine.pmu_enabled)
