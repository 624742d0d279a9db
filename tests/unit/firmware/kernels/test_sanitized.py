# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of this folder again with the address sanitizer, which must be loaded into Python
first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]


@pytest.mark.campaign  # Needs a second build and rarely finds more than the fenced tensors.
def test_no_kernel_reads_or_writes_outside_its_tensors(tmp_path: Path) -> None:
    if "PILOTLIGHT_KERNEL_SANITIZERS" in os.environ:
        pytest.skip("this is that run")
    found = subprocess.run(["c++", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    environment = os.environ | {
        "LD_PRELOAD": found.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # The interpreter has leaks of its own.
        "PILOTLIGHT_KERNEL_SANITIZERS": "address,undefined",
    }
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider"),
        *("-c", str(ROOT / "python" / "pyproject.toml"), "--rootdir", str(ROOT), "--basetemp", str(tmp_path / "inner")),
        str(HERE),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-6000:]
