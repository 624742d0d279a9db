# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from locked import locked

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def differential_build() -> Path:
    """Build the programs of differential/, each with our runtime (_ours) and with the wheel's
    (_wheel).
    """
    folder = HERE.parents[3] / "build" / "differential"
    configure = ["cmake", "-G", "Ninja", "-S", str(HERE / "differential"), "-B", str(folder)]
    configure += ["-DCMAKE_BUILD_TYPE=Debug", f"-DPILOTLIGHT_PYTHON={sys.executable}"]
    with locked(folder):
        for command in (configure, ["ninja", "-j2", "-C", str(folder)]):
            result = subprocess.run(command, check=False, capture_output=True, text=True)
            assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    return folder
