# SPDX-License-Identifier: Apache-2.0
"""The NPU configurations, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pilotlight.errors import ConfigError
from pilotlight.npu.stream import u85
from pilotlight.npu.stream.feature_map import Shape
from pilotlight.npu.stream.isa import Product
from pilotlight.npu.stream.products import U55, U65, U85
from pilotlight.npu_names import macs_of


@dataclass(frozen=True)
class Configuration:
    """One configuration of the hardware.

    name: one of pilotlight.npu_names.NPUS.
    config_word, id_word: values of the registers CONFIG and ID; Vela writes them into a payload.
    shram_kib: internal memory of one core that copies can write. Its last 2 KiB hold tables.
    microblocks: rows, columns and channels of output that are computed at the same time, by
        ACC_FORMAT.microblock. Products without this field have one entry, 0.
    cores: number of weight streams that are decoded at the same time.
    """

    name: str
    product: Product
    config_word: int
    id_word: int
    shram_kib: int
    microblocks: Mapping[int, Shape] = field(hash=False)
    cores: int
    axi_bytes_per_cycle: int

    @property
    def macs_per_cycle(self) -> int:
        return macs_of(self.name)

    @property
    def lut_offset(self) -> int:
        """Byte offset of the activation tables in internal memory."""
        return (self.shram_kib - 2) * 1024


_ID = 0x1006_6001
_ID_U85 = 0x2000_7000

CONFIGURATIONS = {
    row.name: row
    for row in (
        Configuration("ethos-u55-32", U55, 0x0000_1005, _ID, 16, {0: (1, 1, 4)}, 1, 8),
        Configuration("ethos-u55-64", U55, 0x0000_1006, _ID, 16, {0: (1, 1, 8)}, 1, 8),
        Configuration("ethos-u55-128", U55, 0x0000_1807, _ID, 24, {0: (1, 2, 8)}, 1, 8),
        Configuration("ethos-u55-256", U55, 0x0000_3008, _ID, 48, {0: (2, 2, 8)}, 1, 8),
        Configuration("ethos-u65-256", U65, 0x1000_3008, _ID, 48, {0: (2, 2, 8)}, 1, 16),
        Configuration("ethos-u65-512", U65, 0x1000_6009, _ID, 48, {0: (2, 2, 8)}, 2, 16),
        Configuration("ethos-u85-128", U85, 0x2000_0117, _ID_U85, 2, u85.microblocks(128), 1, 16),
        Configuration("ethos-u85-256", U85, 0x2000_0118, _ID_U85, 2, u85.microblocks(256), 1, 16),
        Configuration("ethos-u85-512", U85, 0x2000_1119, _ID_U85, 2, u85.microblocks(512), 2, 16),
        Configuration("ethos-u85-1024", U85, 0x2000_251A, _ID_U85, 2, u85.microblocks(1024), 4, 16),
        Configuration("ethos-u85-2048", U85, 0x2000_261B, _ID_U85, 2, u85.microblocks(2048), 4, 16),
    )
}


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
