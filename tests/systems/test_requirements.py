# SPDX-License-Identifier: Apache-2.0
"""The pinned requirements resolve for every Python and processor that we name."""

from __future__ import annotations

import subprocess

import pytest

from pilotlight.paths import ROOT

LOCK = ROOT / "python" / "requirements.txt"


@pytest.mark.campaign
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_pins_resolve(python: str, machine: str) -> None:
    platform = f"{machine}-manylinux_2_36"
    command = ["uv", "pip", "compile", "--quiet", "--no-annotate", "--python-version", python]
    command += ["--python-platform", platform, str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    resolved = {line.split("==")[0] for line in done.stdout.splitlines() if "==" in line}
    assert {"torch", "executorch", "ethos-u-vela", "tosa-tools"} <= resolved
