#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Install pinned packages into this interpreter's environment and show the progress.

    .venv/bin/python scripts/install_packages.py python/requirements.txt

On a terminal, one line shows the present step and its progress. Elsewhere each step is a line.
Installed packages are not touched, so an interrupted set-up continues where it stopped.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

# The first pip with `--progress-bar raw` is 24.1; Debian 12 has 23.0.
PIP = "pip==25.3"
TOOLS_MISSING = 30

ANNOUNCEMENT = """\
   With a CPU build of PyTorch this takes 2.2 GB of disk space; with PyPI's plain build for x86-64,
   which brings CUDA, 5.9 GB. Nothing here uses CUDA. pip takes a CPU build if it finds one: name an
   index (PyTorch publishes one) or a folder of wheels before you start, in one of these ways.
     export PIP_EXTRA_INDEX_URL=ADDRESS
     export PIP_FIND_LINKS=FOLDER"""
CUDA_FOUND = "pip found no CPU build of PyTorch: it takes the plain one, with CUDA (Ctrl-C stops it)"

_CUDA = re.compile(r"^(nvidia|cuda)-")
_KEPT_LINES = 20
_TICK_S = 0.5


class Screen:
    """Prints a line per step and, on a terminal, the progress of the present step."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._terminal = out, out.isatty()
        self._drawn = ""

    def step(self, text: str) -> None:
        self._erase()
        print(f"   {text}", file=self._out, flush=True)

    def progress(self, text: str) -> None:
        """Replace the progress line. Without a terminal, this does nothing."""
        if not self._terminal:
            return
        width = shutil.get_terminal_size().columns - 1
        text = f"   {text}"[:width]
        if text != self._drawn:
            self._erase()
            print(text, end="", file=self._out, flush=True)
            self._drawn = text

    def _erase(self) -> None:
        if self._drawn:
            print("\r" + " " * len(self._drawn) + "\r", end="", file=self._out, flush=True)
            self._drawn = ""


@dataclass
class Progress:
    """Follows pip's output while it finds, downloads, builds and installs packages."""

    screen: Screen
    begun: float = field(default_factory=time.monotonic)
    found: int = 0
    downloaded_bytes: int = 0
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    _file: str = ""
    _file_bytes: int = 0
    _told_of_cuda: bool = False
    _to_install: int = 0
    _installed_before: int = 0

    def hear(self, line: str) -> None:
        """Process one line of pip's output.

        >>> progress = Progress(Screen(sys.stdout), begun=0.0)
        >>> progress.hear("  Downloading torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl (183.0 MB)")
           downloading torch 2.13.0+cpu (183.0 MB)
        >>> progress.hear("Progress 191794682 of 191794682")
        >>> progress.hear("Installing collected packages: torch, sympy")
           installing 2 packages
        >>> progress.downloaded_bytes
        191794682
        """
        line = line.rstrip()
        if found := re.match(r"Progress (\d+) of (\d+)", line):
            self._arrived(int(found[1]), int(found[2]))
        elif found := re.match(r" *Downloading (\S+) \((.+)\)", line):
            self._file, self._file_bytes = _package(found[1]), 0
            if re.fullmatch(r"\d\d+\.\d MB|.* GB", found[2]):
                self.screen.step(f"downloading {self._file} ({found[2]})")
        elif found := re.match(r"(?:Collecting|Processing|Requirement already satisfied:) (\S+)", line):
            self.found += 1
            if _CUDA.match(found[1]) and not self._told_of_cuda:
                self._told_of_cuda = True
                self.screen.step(CUDA_FOUND)
            self.screen.progress(f"{self.found} packages found")
        elif found := re.match(r" *Building wheel for (\S+).*: started", line):
            self.screen.step(f"building {found[1]}")
        elif found := re.match(r"Installing collected packages: (.+)", line):
            self._to_install, self._installed_before = found[1].count(",") + 1, _installed_packages()
            self.screen.step(f"installing {self._to_install} packages")
        elif line and not line.startswith("WARNING:"):
            self.errors.append(line)

    def tick(self) -> None:
        """Show the progress while pip prints nothing, as it does while it installs."""
        if self._to_install:
            done = _installed_packages() - self._installed_before
            self.screen.progress(f"{done} of {self._to_install} packages")

    def _arrived(self, size_bytes: int, of_bytes: int) -> None:
        self.downloaded_bytes += max(0, size_bytes - self._file_bytes)
        self._file_bytes = size_bytes
        speed = self.downloaded_bytes / 1e6 / max(0.1, time.monotonic() - self.begun)
        self.screen.progress(
            f"{self._file}: {size_bytes / 1e6:,.0f} of {of_bytes / 1e6:,.0f} MB; "
            f"{self.downloaded_bytes / 1e6:,.0f} MB in all, {speed:,.1f} MB/s"
        )


def _installed_packages() -> int:
    return sum(1 for _ in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))


def _package(file: str) -> str:
    """Return a file's package and version.

    >>> _package("antlr4-python3-runtime-4.9.3.tar.gz"), _package("rich-15.0.0-py3-none-any.whl")
    ('antlr4-python3-runtime 4.9.3', 'rich 15.0.0')
    """
    if file.endswith(".whl"):
        return " ".join(file.split("-")[:2])
    return " ".join(re.sub(r"\.(tar\.gz|zip)$", "", file).rsplit("-", 1))


def _pip(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]


def _follow(command: list[str], progress: Progress) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        for line in _lines(process, progress.tick):
            progress.hear(line)
    if process.returncode:
        progress.screen.step("pip failed; the end of what it printed:")
        print("\n".join(progress.errors), file=sys.stderr)
        sys.exit(TOOLS_MISSING)


def _lines(process: subprocess.Popen[bytes], tick: Callable[[], None]) -> Iterator[str]:
    """Yield the lines that the process prints. Call `tick` while it prints nothing."""
    assert process.stdout is not None
    pending = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], _TICK_S)
        if not ready:
            tick()
            continue
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        *lines, pending = (pending + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if pending:
        yield pending.decode(errors="replace")


def main() -> None:
    requirements = sys.argv[1]
    screen = Screen(sys.stdout)
    print(ANNOUNCEMENT, flush=True)
    _follow(_pip("install", "--quiet", PIP), Progress(screen))
    progress = Progress(screen)
    screen.step("looking for packages")
    _follow(_pip("install", "--progress-bar", "raw", "-r", requirements), progress)
    seconds = time.monotonic() - progress.begun
    screen.step(f"{progress.downloaded_bytes / 1e6:,.0f} MB downloaded, {seconds:.0f} s in all")


if __name__ == "__main__":
    main()
