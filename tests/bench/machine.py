# SPDX-License-Identifier: Apache-2.0
"""The machine that the figures were measured on, without anything that identifies its owner."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pilotlight.paths import ROOT

_PACKAGES = ("torch", "executorch", "ethos-u-vela", "tosa-tools", "numpy", "cmake", "ninja")


def machine_facts() -> dict[str, Any]:
    status = _first_line(["git", "status", "--porcelain", "--untracked-files=no"])
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _first_line(["git", "rev-parse", "--short", "HEAD"]) + (" with changes" if status else ""),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        # With a high load, figures in seconds mean little.
        "load_average": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "compiler": _first_line(["arm-none-eabi-gcc", "--version"]),
        "emulator": _first_line(["qemu-system-arm", "--version"]),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _first_line(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout.splitlines() or [""])[0]
