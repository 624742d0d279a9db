# SPDX-License-Identifier: Apache-2.0
"""Set-up on a system that it does not support."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pilotlight.paths import ROOT


@pytest.mark.parametrize("there", [(), ("dpkg-query",)])
def test_without_apt_it_says_what_it_supports_and_what_to_do(tmp_path: Path, there: tuple[str, ...]) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    for tool in there:
        (tmp_path / tool).symlink_to("/bin/true")
    setup = [str(shutil.which("bash")), str(ROOT / "scripts" / "setup.sh")]
    done = subprocess.run(setup, env={"PATH": str(tmp_path)}, check=False, capture_output=True, text=True)
    assert done.returncode == 30
    assert done.stdout == ""
    assert done.stderr.startswith(f"{'apt-get' if there else 'dpkg-query'} is not on PATH")
    assert "Debian 12, 13 and derivatives" in done.stderr and "gcc-arm-none-eabi" in done.stderr
