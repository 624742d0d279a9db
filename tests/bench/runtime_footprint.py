# SPDX-License-Identifier: Apache-2.0
"""Flash of the runtime alone, in the smallest image that loads and runs a method.

Built for Cortex-M55 with -Os three times: without verifier and messages, with the verifier, and
with both. The differences are the sizes of verifier and messages. Upstream's own size test is built
without messages too.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from footprint import OF_THE_RUNTIME
from images import BENCH

from pilotlight.elf.linker_map import parse_map
from pilotlight.errors import BuildFailed
from pilotlight.paths import ROOT
from pilotlight.size.components import component_of

_SOURCE = ROOT / "tests" / "unit" / "firmware" / "executorch" / "footprint"
TOOLCHAIN = ROOT / "cmake" / "toolchain" / "arm-none-eabi.cmake"
SECTIONS = (".text", ".rodata")
_DEADLINE_S = 600.0


@dataclass(frozen=True)
class RuntimeFootprint:
    """Bytes of .text and .rodata.

    core: program, method, registries, one loader, and the delegate call. The core does not include
        verifier, messages, kernels and C library.
    """

    core: int
    verifier: int
    messages: int


def runtime_footprint() -> RuntimeFootprint:
    """Build the three images and return the sizes. Raises BuildFailed."""
    core = _bytes("core", log_level="Off", verifier="OFF")
    verified = _bytes("verified", log_level="Off", verifier="ON")
    return RuntimeFootprint(core, verified - core, _bytes("logged", log_level="Error", verifier="ON") - verified)


def _bytes(name: str, *, log_level: str, verifier: str) -> int:
    folder = BENCH / f"runtime-{name}"
    options = (
        f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
        f"-DPILOTLIGHT_PYTHON={sys.executable}",
        f"-DPILOTLIGHT_EXECUTORCH_LOG_LEVEL={log_level}",
        f"-DPILOTLIGHT_EXECUTORCH_VERIFIER={verifier}",
    )
    call(["cmake", "-G", "Ninja", "-S", str(_SOURCE), "-B", str(folder), *options])
    call(["cmake", "--build", str(folder), "--target", "footprint"])
    sections = parse_map((folder / "footprint.map").read_text(encoding="utf-8"))
    pieces = (piece for section in SECTIONS for piece in sections[section].pieces())
    return sum(piece.size for piece in pieces if component_of(piece.path) in OF_THE_RUNTIME)


def call(command: list[str]) -> None:
    """Run a step of a build. Raises BuildFailed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    if done.returncode:
        raise BuildFailed(f"{' '.join(command[:3])} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def method_pool_of(pte: bytes) -> int:
    """Return the bytes that load_method takes for the program on a 32-bit CPU.

    The delegates' allocations are included.
    """
    from pilotlight.codegen.arenas import plan_arenas
    from pilotlight.pte import read_program

    return plan_arenas(read_program(pte).methods["forward"], "ours", 4).method_pool
