# SPDX-License-Identifier: Apache-2.0
"""Names of targets, system configurations, memory modes and kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
from executorch.backends.arm.ethosu import EthosUCompileSpec

from pilotlight.errors import ConfigError
from pilotlight.export.kernels import firmware_kernels, missing_kernels
from pilotlight.export.lowering.targets import TARGETS, resolve


@pytest.mark.parametrize("name", TARGETS)
def test_defaults_are_those_of_executorch(name: str) -> None:
    target = resolve(name, None, None)
    flags = EthosUCompileSpec(name).compiler_flags
    assert f"--system-config={target.system_config}" in flags
    assert f"--memory-mode={target.memory_mode}" in flags


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


def test_kernels_are_read_as_the_code_generator_reads_them(tmp_path: Path) -> None:
    (tmp_path / "kernels.yaml").write_text(
        "# comment\n"
        "- func: quantized_decomposed::quantize_per_tensor.out(Tensor input, *, Tensor(a!) out) -> Tensor(a!)\n"
        "  kernels:\n"
        "    - arg_meta: null\n"
        "      kernel_name: pilotlight::quantize_per_tensor_out\n"
        "\n"
        "- op: add.out\n",
        encoding="utf-8",
    )
    assert firmware_kernels(tmp_path) == {"quantized_decomposed::quantize_per_tensor.out", "aten::add.out"}


def test_a_missing_kernel_is_named_once_and_the_runtimes_own_operators_are_not() -> None:
    calls = ["aten::add.out", "executorch_prim::et_view.default", "aten::sort.values", "aten::sort.values"]
    assert missing_kernels(calls, frozenset({"aten::add.out"})) == ["aten::sort.values"]
