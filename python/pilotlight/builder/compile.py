# SPDX-License-Identifier: Apache-2.0
"""Runs CMake for one build folder and turns its failures into one error."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from pilotlight.boards import MemoryRegion
from pilotlight.build_folder import BuildFolder
from pilotlight.builder.clock import forget_times_after_now
from pilotlight.builder.overflow import largest_in_region
from pilotlight.errors import (
    BuildFailed,
    CompilerMissing,
    ConfigError,
    DoesNotFit,
    PilotlightError,
    ToolMissing,
    error_classes,
)
from pilotlight.files import write_atomically
from pilotlight.npu_names import NPUS
from pilotlight.paths import HOW_TO_SET_UP

_OVERFLOW = re.compile(r"region `(?P<region>\w+)' overflowed by (?P<bytes>\d+) bytes")
# Messages of GCC, Clang, the assembler ("Error: bad instruction") and the linker.
_DIAGNOSTIC = re.compile(r"\berror:|undefined reference|multiple definition|cannot find -l", re.I)
_STEP = re.compile(r"^\[(?P<done>\d+)/(?P<total>\d+)\] (?P<what>.*)")

# Hints on what to change if a region is full, by the section group in it.
_ROLE_HINTS = {
    "model": "a smaller model, fewer channels, or a board whose model region is larger",
    "tensor_arena": "a smaller input, or another memory mode (west build --memory-mode)",
    "code": "fewer CPU operators: see the export report for what was not delegated",
    "data": "a smaller method pool: fewer operators, or a smaller [budget] stack_bytes in board.toml",
}

Progress = Callable[[int, int, str], None]


def require_tools(cross_compiler: str | None) -> None:
    """Raise CompilerMissing or ToolMissing if a program that the build needs is missing."""
    if cross_compiler and shutil.which(cross_compiler) is None:
        raise CompilerMissing(
            f"{cross_compiler} is not on PATH, so nothing can be built for this board",
            hint="apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
        )
    if cross_compiler is None and shutil.which("g++") is None and shutil.which("clang++") is None:
        raise CompilerMissing("no C++ compiler for this machine is on PATH", hint="apt-get install g++")
    for tool in ("cmake", "ninja"):
        if shutil.which(tool) is None:
            raise ToolMissing(f"{tool} is not on PATH", hint=HOW_TO_SET_UP)


def configure(source: Path, folder: BuildFolder, definitions: dict[str, str]) -> None:
    """Configure the project in `source` with CMake, unless this command has configured the folder.

    Later changes of CMake's files need no call: the build system then runs CMake itself. If the
    clock was set back since the last build, every step of the build is due again.

    Raises BuildFailed with CMake's error text.
    """
    arguments = [f"-D{key}={value}" for key, value in definitions.items()]
    command = ["cmake", "-G", "Ninja", "-S", str(source), "-B", str(folder.path), *arguments]
    if not forget_times_after_now(folder.path) and _is_configured(folder, command):
        folder.log.write_text("", encoding="utf-8")
        return
    folder.configured.unlink(missing_ok=True)
    with folder.log.open("w", encoding="utf-8") as file:
        result = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        raise BuildFailed(
            _cmake_error(folder.log.read_text(encoding="utf-8")), hint=f"the whole output is in {folder.log}"
        )
    write_atomically(folder.configured, json.dumps({"command": command}) + "\n")


def _is_configured(folder: BuildFolder, command: list[str]) -> bool:
    """Whether `command` was the last to configure the folder.

    A user's own call of CMake writes the cache, which is then newer than our record.
    """
    try:
        recorded = json.loads(folder.configured.read_text(encoding="utf-8"))
        cache = (folder.path / "CMakeCache.txt").stat().st_mtime_ns
        is_newest = cache <= folder.configured.stat().st_mtime_ns
    except (OSError, ValueError):
        return False
    return is_newest and (folder.path / "build.ninja").exists() and recorded == {"command": command}


def compile_firmware(
    folder: Path, target: str, memory: Mapping[str, MemoryRegion], log: Path, progress: Progress
) -> None:
    """Build `target` for a board whose regions are `memory`.

    Raises DoesNotFit if a region overflows, the error of one of our build steps, or BuildFailed.
    """
    command = ["cmake", "--build", str(folder), "--target", target]
    output: list[str] = []
    with (
        log.open("a", encoding="utf-8") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            output.append(line)
            if step := _STEP.match(line):
                progress(int(step["done"]), int(step["total"]), step["what"])
    if process.returncode:
        text = "".join(output)
        raise _error_of_a_step(process.returncode, text) or _explain(text, memory, folder, log)


def run_target(folder: Path, target: str) -> None:
    """Run a target of the build system, whose output goes to the terminal.

    Raises ConfigError for an NPU's name, or if the folder was never configured; BuildFailed if the
    target fails.
    """
    if target in NPUS:
        raise ConfigError(f"-t {target}: -t runs a target of the build system", hint=f"for the NPU: --npu {target}")
    if not (folder / "CMakeCache.txt").exists():
        raise ConfigError(f"{folder} was not built before, so it has no targets", hint="west build -b BOARD -m MODEL")
    done = subprocess.run(["cmake", "--build", str(folder), "--target", target], check=False)
    if done.returncode:
        raise BuildFailed(f"the target {target} failed", hint="west build -t help lists the targets")


def _error_of_a_step(code: int, output: str) -> PilotlightError | None:
    """Return the error of one of our build steps: class from the code, text from the output."""
    error = next((error for error in error_classes() if error.exit_code == code), None)
    _, found, words = f"\n{output}".partition("\nerror: ")
    if error is None or not found:
        return None
    message, _, rest = words.partition("\nninja: ")[0].partition("\n  try: ")
    return error(message.strip(), hint=rest.partition("\n")[0])


def _explain(output: str, memory: Mapping[str, MemoryRegion], folder: Path, log: Path) -> BuildFailed | DoesNotFit:
    overflows = {match["region"]: int(match["bytes"]) for match in _OVERFLOW.finditer(output)}
    if overflows:
        lines = []
        for name, over in overflows.items():
            lines.append(f"the image does not fit: memory region {name} is over by {over:,} bytes")
            if name in memory:
                found = largest_in_region(folder, memory[name].origin, memory[name].end + over)
                lines += [f"  {size:>12,}  {what}" for what, size in found]
        roles = [role for name in overflows if name in memory for role in memory[name].holds]
        hints = [_ROLE_HINTS[role] for role in roles if role in _ROLE_HINTS]
        return DoesNotFit("\n".join(lines), hint="; or ".join(hints) or f"see {log}")
    said = _said_by_tools(output)
    errors = [line for line in said if _DIAGNOSTIC.search(line)]
    first = "\n".join(errors[:5] or said[-5:])
    return BuildFailed(f"the firmware does not build:\n{first}", hint=f"the whole output is in {log}")


def _said_by_tools(output: str) -> list[str]:
    """Return the output of compiler and linker without Ninja's lines and command lines."""
    lines = output.splitlines()
    commands = {number + 1 for number, line in enumerate(lines) if line.startswith("FAILED: ")}
    return [
        line
        for number, line in enumerate(lines)
        if number not in commands and not line.startswith(("FAILED: ", "ninja: ")) and not _STEP.match(line)
    ]


def _cmake_error(output: str) -> str:
    """Return the text of CMake's first error, without file names and call stack."""
    _, found, rest = output.partition("CMake Error")
    if not found:
        return "cmake failed:\n" + "\n".join(output.splitlines()[-5:])
    text = rest.split("\n", 1)[-1].split("\n\n\n")[0].split("Call Stack")[0]
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
