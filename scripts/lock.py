#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resolve python/requirements.in into requirements.txt, for all Pythons of pyproject.toml.

    .venv/bin/python scripts/lock.py             keep the present versions if they still fit
    .venv/bin/python scripts/lock.py --upgrade   take the newest versions

One file serves all of them. A line with a marker is for a certain Python or processor only.
"""

import re
import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[1] / "python"
OLDEST = "3.10"
HEAD = "# Written by scripts/lock.py from requirements.in: every package at the version that we test with."
# Conditions that always hold (pyproject.toml). Markers keep only the others.
GIVEN = ("sys_platform == 'linux'", "python_full_version < '3.14'")
# Dependencies of PyTorch's CUDA build. PyTorch pins these packages itself, and its CPU build needs
# none of them.
GPU = re.compile(r"^(nvidia|cuda)-|^triton==")


def main() -> None:
    lock = PYTHON / "requirements.txt"
    command = [*("uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST, *sys.argv[1:])]
    command += ["--no-annotate", "--no-header", "requirements.in", "--output-file", lock.name]
    subprocess.run(command, cwd=PYTHON, check=True)
    lines = [_shorter(line) for line in lock.read_text(encoding="utf-8").splitlines() if not GPU.match(line)]
    lock.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")


def _shorter(line: str) -> str:
    """Return the line without the conditions in GIVEN.

    >>> _shorter("tomli==2.5.0 ; python_full_version < '3.11' and sys_platform == 'linux'")
    "tomli==2.5.0 ; python_full_version < '3.11'"
    >>> _shorter("torch==2.13.0 ; python_full_version < '3.14' and sys_platform == 'linux'")
    'torch==2.13.0'
    """
    package, _, marker = line.partition(" ; ")
    conditions = [condition for condition in marker.split(" and ") if condition and condition not in GIVEN]
    return f"{package} ; {' and '.join(conditions)}" if conditions else package


if __name__ == "__main__":
    main()
