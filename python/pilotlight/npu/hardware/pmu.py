# SPDX-License-Identifier: Apache-2.0
"""The performance monitoring unit: one cycle counter, and four or eight event counters."""

from __future__ import annotations

from collections.abc import Mapping

from pilotlight.npu.hardware.registers import CYCLE_COUNTER, PMCR_COUNTERS_BIT, Pmcr, Reg
from pilotlight.npu.stream.isa import Product

_WORD = 0xFFFF_FFFF
_CYCLE_BITS = 48
_EVENT_TYPE_MASK = 0x3FF


class Pmu:
    """The counters and their registers. product: gives their number and their place."""

    def __init__(self, product: Product) -> None:
        self._window, self._counters = product.pmu_window, product.event_counters
        self.reset()

    def reset(self) -> None:
        self._control = 0
        self._enabled = 0
        self._overflowed = 0
        self._interrupts = 0
        self._cycles = 0
        self._counts = [0] * self._counters
        self._types = [0] * self._counters

    @property
    def enabled(self) -> bool:
        """Whether any counter counts."""
        return bool(self._enabled)

    @property
    def irq(self) -> bool:
        return bool(self._overflowed & self._interrupts)

    def count(self, cycles: int, events: Mapping[int, int], *, mask_enabled: bool) -> None:
        """Add `cycles` and `events` to the enabled counters.

        events: number of occurrences by event number. mask_enabled: value of NPU_OP_PMU_MASK.
        """
        if not self._control & Pmcr.CNT_EN or (self._control & Pmcr.MASK_EN and not mask_enabled):
            return
        if self._enabled & CYCLE_COUNTER:
            self._cycles += cycles
            if self._cycles >> _CYCLE_BITS:
                self._overflowed |= CYCLE_COUNTER
                self._cycles &= (1 << _CYCLE_BITS) - 1
        for index in range(self._counters):
            if self._enabled >> index & 1:
                self._counts[index] += events.get(self._types[index], 0)
                if self._counts[index] > _WORD:
                    self._overflowed |= 1 << index
                    self._counts[index] &= _WORD

    def read(self, offset: int) -> int | None:
        """Return a register's value, None if the PMU has no register at `offset`."""
        offset -= self._window
        values: dict[int, int] = {
            Reg.PMCR: self._control | self._counters << PMCR_COUNTERS_BIT,
            Reg.PMCNTENSET: self._enabled,
            Reg.PMCNTENCLR: self._enabled,
            Reg.PMOVSSET: self._overflowed,
            Reg.PMOVSCLR: self._overflowed,
            Reg.PMINTSET: self._interrupts,
            Reg.PMINTCLR: self._interrupts,
            Reg.PMCCNTR: self._cycles & _WORD,
            Reg.PMCCNTR_HI: self._cycles >> 32,
        }
        for index in range(self._counters):
            values[Reg.PMEVCNTR0 + 4 * index] = self._counts[index]
            values[Reg.PMEVTYPER0 + 4 * index] = self._types[index]
        return values.get(offset)

    def write(self, offset: int, value: int) -> bool:
        """Write a register. Return False if the PMU has no register at `offset`."""
        offset -= self._window
        bits = value & (CYCLE_COUNTER | (1 << self._counters) - 1)
        event_count, count_end = divmod(offset - Reg.PMEVCNTR0, 4)
        event_type, type_end = divmod(offset - Reg.PMEVTYPER0, 4)
        if offset == Reg.PMCR:
            self._control = value & (Pmcr.CNT_EN | Pmcr.MASK_EN)
            if value & Pmcr.EVENT_CNT_RST:
                self._counts = [0] * self._counters
            if value & Pmcr.CYCLE_CNT_RST:
                self._cycles = 0
        elif offset == Reg.PMCNTENSET:
            self._enabled |= bits
        elif offset == Reg.PMCNTENCLR:
            self._enabled &= ~bits
        elif offset == Reg.PMOVSSET:
            self._overflowed |= bits
        elif offset == Reg.PMOVSCLR:
            self._overflowed &= ~bits
        elif offset == Reg.PMINTSET:
            self._interrupts |= bits
        elif offset == Reg.PMINTCLR:
            self._interrupts &= ~bits
        elif offset == Reg.PMCCNTR:
            self._cycles = self._cycles >> 32 << 32 | value
        elif offset == Reg.PMCCNTR_HI:
            self._cycles = (value & 0xFFFF) << 32 | self._cycles & _WORD
        elif 0 <= event_count < self._counters and count_end == 0:
            self._counts[event_count] = value
        elif 0 <= event_type < self._counters and type_end == 0:
            self._types[event_type] = value & _EVENT_TYPE_MASK
        else:
            return False
        return True
