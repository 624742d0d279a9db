# SPDX-License-Identifier: Apache-2.0
"""Names of NPUs, system configurations and memory modes."""

from __future__ import annotations

import pytest
from executorch.backends.arm.ethosu import EthosUCompileSpec

from pilotlight.errors import ConfigError
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.npu_names import NPUS


@pytest.mark.parametrize("name", NPUS)
def test_defaults_are_those_of_executorch(name: str) -> None:
    npu = resolve(name, None, None)
    flags = EthosUCompileSpec(name).compiler_flags
    assert f"--system-config={npu.system_config}" in flags
    assert f"--memory-mode={npu.memory_mode}" in flags


@pytest.mark.parametrize(
    ("arguments", "offered"),
    [
        (("ethos-u55-512", None, None), "ethos-u55-128"),
        (("ethos-u55-128", "Ethos_U85_SYS_DRAM_Mid", None), "Ethos_U55_Deep_Embedded"),
        (("ethos-u55-128", None, "Dedicated_Sram"), "Sram_Only"),
        (("ethos-u55-128", None, "shared_sram"), "Shared_Sram"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(arguments: tuple[str, str, str], offered: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(*arguments)
    assert offered in caught.value.hint
