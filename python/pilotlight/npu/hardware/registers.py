# SPDX-License-Identifier: Apache-2.0
"""The register map: offsets, fields, reset values and PMU events.

All names are Arm's. `Reg` and `Event` have the offsets and numbers of U55. U85 has its PMU at the
distance `Product.pmu_window`, and the registers of `RegU85` besides.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from functools import cache

from pilotlight.npu.stream.faults import Channel
from pilotlight.npu.stream.isa import Generation, Product


class Reg(IntEnum):
    """Offsets of registers. A 64-bit register is a pair, low word first."""

    ID = 0x000
    STATUS = 0x004
    CMD = 0x008
    RESET = 0x00C
    QBASE = 0x010
    QBASE_HI = 0x014
    QREAD = 0x018
    QCONFIG = 0x01C
    QSIZE = 0x020
    PROT = 0x024
    CONFIG = 0x028
    LOCK = 0x02C
    REGIONCFG = 0x03C
    AXI_LIMIT0 = 0x040
    BASEP0 = 0x080
    WD_STATUS = 0x100
    MAC_STATUS = 0x104
    AO_STATUS = 0x108
    DMA_STATUS0 = 0x110
    DMA_STATUS1 = 0x114
    CLKFORCE = 0x140
    DEBUG_ADDRESS = 0x144
    DEBUG_MISC = 0x148
    DEBUG_BLOCK = 0x150
    PMCR = 0x180
    PMCNTENSET = 0x184
    PMCNTENCLR = 0x188
    PMOVSSET = 0x18C
    PMOVSCLR = 0x190
    PMINTSET = 0x194
    PMINTCLR = 0x198
    PMCCNTR = 0x1A0
    PMCCNTR_HI = 0x1A4
    PMCCNTR_CFG = 0x1A8
    PMCAXI_CHAN = 0x1AC
    PMEVCNTR0 = 0x300
    PMEVTYPER0 = 0x380
    CURRENT_QREAD = 0x27C
    SHRAM = 0x400
    SHADOW = 0x800
    REVISION = 0xFC0


class RegU85(IntEnum):
    """Offsets of registers that only U85 has. Reg.LOCK and Reg.DEBUG_BLOCK do not exist there."""

    COND_STATUS = 0x030
    POWER_CTRL = 0x038
    MEM_ATTR0 = 0x040
    AXI_SRAM = 0x050
    AXI_EXT = 0x054
    CFG_SRAM_CAP = 0x060
    CFG_EXT_CAP = 0x064
    FEATURE_DISABLE = 0x154
    PMCLUT = 0x11B0


REGIONS = 8
ATTRIBUTE_SETS = 4
# The bit of MEM_ATTR that selects the EXT port.
MEM_ATTR_PORT_BIT = 2
# CFG_SRAM_CAP and CFG_EXT_CAP: the largest numbers that their fields hold.
PORT_CAPABILITY = 0x3F | 0x1F << 8 | 2 << 16


@cache
def stored_registers(product: Product) -> frozenset[int]:
    """Return the offsets of the registers that read as written."""
    common = {
        *(Reg.QBASE, Reg.QBASE_HI, Reg.QCONFIG, Reg.QSIZE, Reg.REGIONCFG),
        *(Reg.AXI_LIMIT0 + 4 * i for i in range(ATTRIBUTE_SETS)),
        *(Reg.BASEP0 + 4 * i for i in range(2 * REGIONS)),
        *(Reg.CLKFORCE, Reg.DEBUG_ADDRESS, Reg.DEBUG_MISC),
        *(product.pmu_window + offset for offset in (Reg.PMCCNTR_CFG, Reg.PMCAXI_CHAN)),
    }
    if product.generation is Generation.FIRST:
        return frozenset(common | {Reg.LOCK, Reg.DEBUG_BLOCK})
    own = (RegU85.POWER_CTRL, RegU85.AXI_SRAM, RegU85.AXI_EXT, RegU85.FEATURE_DISABLE, RegU85.PMCLUT)
    return frozenset(common.union(own))


# CoreSight identification from 0xFD0: PIDR4 to 7, PIDR0 to 3, CIDR0 to 3. The product gives PIDR0.
IDENTIFICATION = {
    0xFD0: 0x04,
    0xFD4: 0x00,
    0xFD8: 0x00,
    0xFDC: 0x00,
    0xFE4: 0xB5,
    0xFE8: 0x0B,
    0xFEC: 0x00,
    0xFF0: 0x0D,
    0xFF4: 0xF0,
    0xFF8: 0x05,
    0xFFC: 0xB1,
}
PIDR0 = 0xFE0


class Status(IntFlag):
    RUNNING = 1 << 0
    IRQ_RAISED = 1 << 1
    BUS_STATUS = 1 << 2
    RESET_STATUS = 1 << 3
    CMD_PARSE_ERROR = 1 << 4
    CMD_END_REACHED = 1 << 5
    PMU_IRQ_RAISED = 1 << 6
    WD_FAULT = 1 << 7
    ECC_FAULT = 1 << 8
    BRANCH_FAULT = 1 << 9
    FAULTING_INTERFACE = 1 << 11


FAULTS = Status.BUS_STATUS | Status.CMD_PARSE_ERROR | Status.WD_FAULT | Status.ECC_FAULT | Status.BRANCH_FAULT
FAULTING_CHANNEL_BIT = 12
IRQ_HISTORY_BIT = 16


class Cmd(IntFlag):
    RUN = 1 << 0
    CLEAR_IRQ = 1 << 1
    CLOCK_Q_ENABLE = 1 << 2
    POWER_Q_ENABLE = 1 << 3
    STOP_REQUEST = 1 << 4


CMD_RESET_VALUE = Cmd.CLOCK_Q_ENABLE | Cmd.POWER_Q_ENABLE
CLEAR_HISTORY_BIT = 16


class Pmcr(IntFlag):
    CNT_EN = 1 << 0
    EVENT_CNT_RST = 1 << 1
    CYCLE_CNT_RST = 1 << 2
    MASK_EN = 1 << 3


PMCR_COUNTERS_BIT = 11
CYCLE_COUNTER = 1 << 31


class Event(IntEnum):
    """The PMU events that this model counts. All others stay 0.

    U85 does not have MAC_ACTIVE_8BIT, _16BIT and _32BIT. Its events of the SRAM ports together have
    the numbers of AXI0, those of the EXT ports the numbers of AXI1.
    """

    CYCLE = 17
    NPU_ACTIVE = 35
    MAC_ACTIVE = 48
    MAC_ACTIVE_8BIT = 49
    MAC_ACTIVE_16BIT = 50
    MAC_ACTIVE_32BIT = 56
    AO_ACTIVE = 64
    WD_ACTIVE = 80
    AXI0_RD_DATA_BEAT_RECEIVED = 130
    AXI0_WR_DATA_BEAT_WRITTEN = 135
    AXI1_RD_DATA_BEAT_RECEIVED = 386
    AXI1_WR_DATA_BEAT_WRITTEN = 391


def describe_status(status: int) -> str:
    """Name the bits of a STATUS word.

    >>> describe_status(0x0000_8004)
    'STATUS 0x00008004: bus_status, faulting_channel OFM, AXI M0'
    """
    names = [bit.name.lower() for bit in Status if status & bit and bit is not Status.FAULTING_INTERFACE and bit.name]
    if status & Status.BUS_STATUS:
        channel = status >> FAULTING_CHANNEL_BIT & 0xF
        known = {item.value: item.name for item in Channel}
        names.append(f"faulting_channel {known.get(channel, channel)}")
        names.append("AXI M1" if status & Status.FAULTING_INTERFACE else "AXI M0")
    return f"STATUS {status:#010x}: {', '.join(names) or 'idle'}"
