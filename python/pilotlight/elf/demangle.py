# SPDX-License-Identifier: Apache-2.0
"""Turns linker names into C++ names."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

_TIMEOUT_S = 60


def demangle(names: Sequence[str]) -> list[str]:
    """Return demangled C++ names; unchanged if c++filt is not installed."""
    tool = shutil.which("arm-none-eabi-c++filt") or shutil.which("c++filt")
    if tool is None or not names:
        return list(names)
    text = "\n".join(names)
    done = subprocess.run([tool], input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    readable = done.stdout.splitlines()
    return readable if len(readable) == len(names) else list(names)
