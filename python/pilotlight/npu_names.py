# SPDX-License-Identifier: Apache-2.0
"""The NPUs by Arm's names, such as ethos-u55-128: family and number of multipliers (MACs per
cycle).

>>> macs_of("ethos-u65-512"), family_of("ethos-u65-512").memory_mode
(512, 'Dedicated_Sram_384KB')
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """NPUs with one command set.

    macs: sizes that Arm offers. system_config, memory_mode: ExecuTorch's defaults for Vela.
    """

    name: str
    macs: tuple[int, ...]
    system_config: str
    memory_mode: str

    @property
    def vela_prefix(self) -> str:
        """The common prefix of the names of Vela's system configurations for this family."""
        return self.name.replace("ethos-u", "Ethos_U")

    def npu(self, macs: int) -> str:
        """Return the name of the NPU of this family with `macs` multipliers."""
        return f"{self.name}-{macs}"


FAMILIES = {
    family.name: family
    for family in (
        Family("ethos-u55", (32, 64, 128, 256), "Ethos_U55_High_End_Embedded", "Shared_Sram"),
        Family("ethos-u65", (256, 512), "Ethos_U65_High_End", "Dedicated_Sram_384KB"),
        Family("ethos-u85", (128, 256, 512, 1024, 2048), "Ethos_U85_SYS_DRAM_Mid", "Sram_Only"),
    )
}
NPUS = tuple(family.npu(macs) for family in FAMILIES.values() for macs in family.macs)


def family_of(npu: str) -> Family:
    """Return the family of one of NPUS."""
    return FAMILIES[npu.rpartition("-")[0]]


def macs_of(npu: str) -> int:
    """Return the number of multipliers of one of NPUS."""
    return int(npu.rpartition("-")[2])
