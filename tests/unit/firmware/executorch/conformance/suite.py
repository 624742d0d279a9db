# SPDX-License-Identifier: Apache-2.0
"""Makes the programs and the probes once, runs the probes and compares their output."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from pilotlight.pte import read_program

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[4]
BUILD = ROOT / "build" / "conformance"
sys.path[:0] = [str(HERE.parent), str(ROOT / "tests")]

from bad_programs import bad  # noqa: E402
from good_programs import good  # noqa: E402
from locked import locked  # noqa: E402
from programs import Assembler  # noqa: E402

# The runtimes register these themselves. Every other operator is traced.
PRIMITIVES = re.compile(r"executorch_prim::|aten::(sym_size\.int|sym_numel|_local_scalar_dense)$")
# Hand-written programs that the exporter cannot produce. One of the bad programs fails while it
# runs.
WRITTEN_BAD = ("kernel_fails", "kernel_missing_twice", "constants_twice")


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def _digest() -> str:
    digest = hashlib.sha256(f"{version('executorch')} {version('torch')}".encode())
    written = [HERE.parent / name for name in ("programs.py", "good_programs.py", "bad_programs.py")]
    for file in (HERE / "export_programs.py", *written, *sorted((HERE / "subjects").glob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def programs() -> Path:
    """Return the folder of all programs. The programs are made again when their sources have
    changed."""
    folder = BUILD / f"programs-{_digest()}"
    with locked(BUILD / "programs"):
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            _run(sys.executable, str(HERE / "export_programs.py"), str(folder))
            scratch = folder / "written"
            scratch.mkdir(exist_ok=True)
            written = {**good(), **{name: program for name, program in bad().items() if name in WRITTEN_BAD}}
            for name, content in Assembler(scratch).assemble(written).items():
                (folder / f"written_{name}.pte").write_bytes(content)
            (folder / "complete").touch()
    return folder


def probes() -> Path:
    """Return the folder of probe_ours and probe_wheel."""
    folder = BUILD / "host"
    configure = ["cmake", "-G", "Ninja", "-S", str(HERE), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Debug"]
    with locked(folder):
        _run(*configure, f"-DPILOTLIGHT_PYTHON={sys.executable}")
        _run("ninja", "-j2", "-C", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.pte"))


def operators(folder: Path, name: str, method: str | None = None) -> set[str]:
    methods = read_program((folder / f"{name}.pte").read_bytes()).methods
    return {operator for key, plan in methods.items() if method in (None, key) for operator in plan.operators}


def traced(folder: Path, chosen: Iterable[str]) -> list[str]:
    """Return the commands that trace all operators of these programs but the primitive ones."""
    found = {operator for name in chosen for operator in operators(folder, name)}
    return [f"trace {operator}" for operator in sorted(found) if not PRIMITIVES.match(operator)]


def transcript(probe: Path, folder: Path, commands: Sequence[str]) -> dict[str, list[str]]:
    """Run the commands with a probe on this host. Return the lines that the probe wrote for each
    command."""
    file = probe.with_suffix(".commands")
    file.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
    done = subprocess.run([str(probe), str(file)], cwd=folder, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return sections(done.stdout.decode(errors="replace"))


def sections(text: str) -> dict[str, list[str]]:
    result = {}
    for part in text.split("=== ")[1:]:
        command, _, lines = part.partition("\n")
        result[command.strip()] = lines.splitlines()
    return result


def differences(ours: dict[str, list[str]], wheel: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the first lines that differ, by command."""
    result = {}
    assert ours.keys() == wheel.keys()
    for command, theirs in wheel.items():
        mine = ours[command]
        if mine == theirs:
            continue
        at = next((i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), -1)
        result[command] = [f"line {at}", *(f"ours  {line}" for line in mine[at:][:3])]
        result[command] += [f"wheel {line}" for line in theirs[at:][:3]]
    return result
