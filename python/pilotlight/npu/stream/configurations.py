# SPDX-License-Identifier: Apache-2.0
"""The NPU configurations, as data."""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.errors import ConfigError
from pilotlight.npu.stream.isa import Product
from pilotlight.npu.stream.products import U55, U65, U85
from pilotlight.npu_names import macs_of


@dataclass(frozen=True)
class Npu:
    """One configuration of the hardware.

    name: one of pilotlight.npu_names.NPUS.
    config_word, id_word: values of the registers CONFIG and ID; Vela writes them into a payload.
    """

    name: str
    product: Product
    config_word: int
    id_word: int


@dataclass(frozen=True)
class Configuration(Npu):
    """A configuration that the simulator supports.

    ofm_microblock_size, ofm_microblock_depth: rows, columns and channels of output that are
        computed at the same time.
    cores: number of weight streams that are decoded at the same time. Core s has every output
        channel with index mod cores = s.
    """

    shram_kib: int
    ofm_microblock_size: tuple[int, int]
    ofm_microblock_depth: int
    cores: int
    axi_bytes_per_cycle: int

    @property
    def macs_per_cycle(self) -> int:
        return macs_of(self.name)

    @property
    def ofm_microblock(self) -> tuple[int, int, int]:
        return (*self.ofm_microblock_size, self.ofm_microblock_depth)

    @property
    def lut_offset(self) -> int:
        """Byte offset of the activation tables in SHRAM. They are its last 2 KiB."""
        return (self.shram_kib - 2) * 1024


_ID = 0x1006_6001
_ID_U85 = 0x2000_7000

CONFIGURATIONS = {
    row.name: row
    for row in (
        Configuration("ethos-u55-32", U55, 0x0000_1005, _ID, 16, (1, 1), 4, 1, 8),
        Configuration("ethos-u55-64", U55, 0x0000_1006, _ID, 16, (1, 1), 8, 1, 8),
        Configuration("ethos-u55-128", U55, 0x0000_1807, _ID, 24, (1, 2), 8, 1, 8),
        Configuration("ethos-u55-256", U55, 0x0000_3008, _ID, 48, (2, 2), 8, 1, 8),
        Configuration("ethos-u65-256", U65, 0x1000_3008, _ID, 48, (2, 2), 8, 1, 16),
        Configuration("ethos-u65-512", U65, 0x1000_6009, _ID, 48, (2, 2), 8, 2, 16),
    )
}


# Configurations that can only be disassembled.
_NOT_SIMULATED = (
    Npu("ethos-u85-128", U85, 0x2000_0117, _ID_U85),
    Npu("ethos-u85-256", U85, 0x2000_0118, _ID_U85),
    Npu("ethos-u85-512", U85, 0x2000_1119, _ID_U85),
    Npu("ethos-u85-1024", U85, 0x2000_251A, _ID_U85),
    Npu("ethos-u85-2048", U85, 0x2000_261B, _ID_U85),
)


def npu_of(config_word: int) -> Npu:
    """Return the configuration with the CONFIG word `config_word`, simulated or not.

    Raises ConfigError if there is none.
    """
    return next((npu for npu in _NOT_SIMULATED if npu.config_word == config_word), None) or configuration_of(
        config_word
    )


def configuration(name: str) -> Configuration:
    """Return a configuration by Arm's name. Raises ConfigError if the simulator does not support
    it."""
    try:
        return CONFIGURATIONS[name]
    except KeyError:
        raise ConfigError(f"no simulator for NPU {name!r}", hint=f"use one of {', '.join(CONFIGURATIONS)}") from None


def configuration_of(config_word: int) -> Configuration:
    """Return the configuration with the CONFIG word `config_word`.

    Raises ConfigError if there is none.
    """
    for candidate in CONFIGURATIONS.values():
        if candidate.config_word == config_word:
            return candidate
    raise ConfigError(
        f"the command stream was compiled for an NPU with CONFIG {config_word:#010x}, which is not simulated",
        hint=f"export for one of {', '.join(CONFIGURATIONS)}",
    )
