# SPDX-License-Identifier: Apache-2.0
"""The cost of a build, from nothing and after each kind of change, in a copy of the checkout."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from images import BENCH, BOARD

from pilotlight.errors import BuildFailed
from pilotlight.paths import ROOT

_DEADLINE_S = 1200.0
_STEP = re.compile(r"^\[(\d+)/\d+\] ", re.MULTILINE)
# A source file that every image links.
_SOURCE = Path("firmware", "executorch", "method_execute.cpp")
# The cache of compiled objects. It is empty at first.
_OBJECTS = "objects"
_WEIGHTS = Path("python", "models", "digits", "weights.npz")
_OTHER_MODEL = "tests/hil/residual.py"


@dataclass(frozen=True)
class Build:
    """One build.

    cpu_s: processor time of all processes of the build.
    steps: of the build tool (a file compiled, an image linked).
    exported_s: duration of the export, 0 when the export was up to date.
    """

    change: str
    seconds: float
    cpu_s: float
    steps: int
    exported_s: float


def time_builds() -> tuple[Build, ...]:
    """Build the digits for the emulated board: from nothing, then after each change.

    Raises BuildFailed.
    """
    checkout = BENCH / "checkout"
    _copy_checkout(checkout)
    shutil.rmtree(BENCH / _OBJECTS, ignore_errors=True)
    builds = [_build(checkout, "clean"), _build(checkout, "nothing changed")]

    source = checkout / _SOURCE
    source.write_text(source.read_text(encoding="utf-8") + "\n// Changed.\n", encoding="utf-8")
    builds.append(_build(checkout, "one source of the runtime"))

    with np.load(checkout / _WEIGHTS) as file:
        weights = dict(file)
    name = next(iter(weights))
    weights[name] = weights[name] * np.float32(0.5)
    np.savez(checkout / _WEIGHTS, **weights)
    builds.append(_build(checkout, "the model's weights"))
    # Any step now is a step that the previous build forgot.
    builds.append(_build(checkout, "nothing changed since"))
    builds.append(_build(checkout, "clean, after another build folder", "build-2"))
    builds.append(_build(checkout, "another model in another build folder", "build-3", _OTHER_MODEL))
    return tuple(builds)


def _copy_checkout(to: Path) -> None:
    """Copy all files that git tracks or would add, as they are; share the virtual environment."""
    shutil.rmtree(to, ignore_errors=True)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / ".venv").symlink_to(ROOT / ".venv")


def _build(checkout: Path, change: str, name: str = "build", model: str = "digits") -> Build:
    folder = checkout / name
    command = [sys.executable, "-m", "pilotlight", "build", "-b", BOARD, "-m", model, "-d", str(folder)]
    report = folder / "bundles" / Path(model).stem / "report.json"
    before = report.stat().st_mtime_ns if report.exists() else 0
    start, cpu_before = time.monotonic(), _cpu_of_children()
    environment = {"PYTHONPATH": str(checkout / "python"), "PILOTLIGHT_OBJECT_CACHE": str(BENCH / _OBJECTS)}
    # The time of the export worker would not count: it is no child of the build.
    environment["PILOTLIGHT_EXPORT_WORKER"] = "off"
    _run(command, checkout, environment)
    seconds, cpu_s = time.monotonic() - start, _cpu_of_children() - cpu_before
    done = _STEP.findall((folder / "build.log").read_text(encoding="utf-8"))
    exported_s = 0.0
    if report.stat().st_mtime_ns != before:
        exported_s = sum(json.loads(report.read_text(encoding="utf-8"))["seconds"].values())
    return Build(change, seconds, cpu_s, int(done[-1]) if done else 0, exported_s)


def _cpu_of_children() -> float:
    """Return the processor time, in seconds, of all processes that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    # A session of its own, so that a timeout also ends the compilers.
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"{' '.join(command)} took more than {_DEADLINE_S:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):  # Normally, all processes have ended.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise BuildFailed(f"{' '.join(command)} failed:\n{output[-2000:]}")
