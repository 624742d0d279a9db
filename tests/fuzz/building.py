# SPDX-License-Identifier: Apache-2.0
"""Builds the fuzz targets and runs them without a fuzzer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bounded
from locked import locked

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The targets, and the longest input worth giving to each, in bytes.
MAX_LENGTH = {"loader": 16384, "delegate": 16384, "frames": 512, "kernels": 16384}

_BUILD_LIMIT_S = 900


class BuildFailedHere(Exception):
    """A build or a configuration failed. The text is the tool's output."""


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    environment = {**os.environ, **(environment or {})}
    done = bounded.run(command, _BUILD_LIMIT_S, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise BuildFailedHere(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def build(folder: Path, *options: str, source: Path = HERE, compilers: tuple[str, str] | None = None) -> Path:
    """Build `source` in `folder`, and configure it first if that was not done.

    Raises BuildFailedHere. One process at a time builds in a folder; the others wait.
    """
    environment = {} if compilers is None else {"CC": compilers[0], "CXX": compilers[1]}
    python = f"-DPILOTLIGHT_PYTHON={sys.executable}"
    with locked(folder):
        if not (folder / "build.ninja").exists():
            _run(["cmake", "-G", "Ninja", "-S", str(source), "-B", str(folder), python, *options], environment)
        _run(["cmake", "--build", str(folder), "-j", "2"])
    return folder


def replay(folder: Path, target: str, *arguments: str | Path, limit_s: float = 300) -> subprocess.CompletedProcess[str]:
    """Run <target>_replay.

    If the program finds something, its error output names the input and the command that repeats
    the case.
    """
    command = [str(folder / f"{target}_replay"), "--dump", str(folder), *map(str, arguments)]
    return bounded.run(command, limit_s, capture_output=True, text=True, errors="replace")


def fuzzer_name(target: str) -> str:
    """Return the name that CMake gives to the target's program with a fuzzing engine."""
    return f"{target}_fuzzer"


def findings(target: str) -> list[Path]:
    """Return the inputs that once broke a rule of `target`."""
    folder = HERE / "findings"
    about = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    return [folder / name for name, finding in about.items() if finding["target"] == target]
