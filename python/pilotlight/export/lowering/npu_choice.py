# SPDX-License-Identifier: Apache-2.0
"""The NPU of an export, and the system description for Vela's estimates of memory and cycles.

>>> resolve("ethos-u55-128", None, "Sram_Only").system_config
'Ethos_U55_High_End_Embedded'
"""

from __future__ import annotations

import configparser
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from pilotlight.errors import ConfigError, ToolMissing
from pilotlight.npu_names import NPUS, family_of
from pilotlight.paths import HOW_TO_SET_UP


@dataclass(frozen=True)
class NpuChoice:
    """Names of an NPU ("ethos-u55-128"), and of Vela's system configuration and memory mode."""

    name: str
    system_config: str
    memory_mode: str


def resolve(name: str, system_config: str | None, memory_mode: str | None) -> NpuChoice:
    """Replace None by the family's default and check all three names.

    Raises ConfigError with the valid names, ToolMissing if Vela is not installed.
    """
    if name not in NPUS:
        raise ConfigError(f"NPU {name!r} does not exist", hint=f"one of {', '.join(NPUS)}")
    family = family_of(name)
    choice = NpuChoice(name, system_config or family.system_config, memory_mode or family.memory_mode)
    systems, modes = _described_by_vela()

    own_systems = [system for system in systems if system.startswith(family.vela_prefix)]
    if choice.system_config not in own_systems:
        raise ConfigError(
            f"system configuration {choice.system_config!r} is not one for {name}",
            hint=f"one of {', '.join(own_systems)}",
        )
    own_modes = [mode for mode in modes if family.name != "ethos-u55" or not mode.startswith("Dedicated_Sram")]
    if choice.memory_mode not in own_modes:
        raise ConfigError(
            f"memory mode {choice.memory_mode!r} is not one for {name}", hint=f"one of {', '.join(own_modes)}"
        )
    return choice


def _described_by_vela() -> tuple[list[str], list[str]]:
    spec = importlib.util.find_spec("ethosu")
    if spec is None or not spec.submodule_search_locations:
        raise ToolMissing("Vela is not installed", hint=HOW_TO_SET_UP)
    path = Path(spec.submodule_search_locations[0]) / "config_files" / "Arm" / "vela.ini"
    parser = configparser.ConfigParser(strict=False, inline_comment_prefixes=(";",))
    parser.read(path, encoding="utf-8")
    names = [section.split(".", 1) for section in parser.sections() if "." in section]
    return (
        [name for kind, name in names if kind == "System_Config"],
        [name for kind, name in names if kind == "Memory_Mode"],
    )
