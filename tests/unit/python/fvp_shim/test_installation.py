# SPDX-License-Identifier: Apache-2.0
"""The installed executables, without an image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.fvp_shim.command import install_executables


def ask(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / name), *arguments], capture_output=True, text=True, check=False)


NAMES = [
    "FVP_Corstone_SSE-300_Ethos-U55",
    "FVP_Corstone_SSE-300_Ethos-U65",
    "FVP_Corstone_SSE-310",
    "FVP_Corstone_SSE-310_Ethos-U65",
    "FVP_Corstone_SSE-315",
    "FVP_Corstone_SSE-320",
]


@pytest.mark.parametrize("name", NAMES)
def test_installed_executable_tells_its_version(tmp_path: Path, name: str) -> None:
    installed = install_executables(tmp_path)
    assert sorted(path.name for path in installed) == NAMES
    answer = ask(tmp_path, name, "--version")
    assert answer.returncode == 0
    assert name in answer.stdout and "Pilotlight" in answer.stdout


def test_wrong_parameter_is_an_error_line_and_an_exit_code(tmp_path: Path) -> None:
    install_executables(tmp_path)
    answer = ask(tmp_path, "FVP_Corstone_SSE-300_Ethos-U55", "-C", "ethosu.num_macs=48")
    assert answer.returncode == ConfigError.exit_code
    assert answer.stdout.startswith("E FVP_Corstone_SSE-300_Ethos-U55: -C ethosu.num_macs=48")


def test_installing_again_is_fine_and_arms_own_is_never_replaced(tmp_path: Path) -> None:
    install_executables(tmp_path)
    install_executables(tmp_path)
    (tmp_path / "FVP_Corstone_SSE-320").write_bytes(b"\x7fELF")
    with pytest.raises(ConfigError, match="perhaps it is Arm's FVP"):
        install_executables(tmp_path)
    assert (tmp_path / "FVP_Corstone_SSE-320").read_bytes() == b"\x7fELF"
