# SPDX-License-Identifier: Apache-2.0
"""The commands as a user runs them: arguments in, exit codes and output out.

Builds are kept under build/hil, so that a second run does not export again. A build first makes the
image of its folder invalid, so no test may build in a folder while another test uses it: `build` is
for one test file, `shared_build` for several.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from locked import locked

from pilotlight.build_folder import BuildFolder
from pilotlight.stack import load_bound

ROOT = Path(__file__).resolve().parents[2]
BUILDS = ROOT / "build" / "hil"
RESIDUAL = Path(__file__).with_name("residual.py")


@dataclass(frozen=True)
class Outcome:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Outcome:
    """Run a `pilotlight` command, and assert that it does not end in a traceback."""
    command = [sys.executable, "-m", "pilotlight", *map(str, arguments)]
    # The export worker serves only builds with its own environment, and pytest's variables name the
    # test. The worker saves each build the imports of PyTorch, and ends with this process.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={"PILOTLIGHT_EXPORT_WORKER": "on", **inherited, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in result.stderr + result.stdout, result.stderr + result.stdout
    return Outcome(result.returncode, result.stdout, result.stderr)


# One name for all workers of this run of pytest.
_THIS_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))


def build(name: str, *arguments: str | Path) -> Path:
    """Build into build/hil/<name> and return the folder.

    Tests of one file may call this several times, and may change the folder. Tests of a second file
    must not, because another worker may run them at the same time.
    """
    folder = BUILDS / name
    caller = os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]
    with locked(folder):
        owner = _owner(folder)
        assert owner in (None, caller), f"{folder} belongs to {owner} in this run: see shared_build"
        _set_owner(folder, caller)
        _run_build(folder, *arguments)
    return folder


def shared_build(name: str, *arguments: str | Path) -> Path:
    """Build into build/hil/<name> once in this run of pytest, and return the folder.

    Tests of any file may read it. A test that flashes or changes something takes a copy.
    """
    folder = BUILDS / name
    everybody = f"everybody who builds {' '.join(map(str, arguments))}"
    with locked(folder):
        owner = _owner(folder)
        assert owner in (None, everybody), f"{folder} belongs to {owner} in this run"
        if owner is None:
            _run_build(folder, *arguments)
            _set_owner(folder, everybody)
    return folder


def copy_of(built: Path, folder: Path) -> Path:
    """Copy what the commands after a build need into a new folder, and return that folder."""
    folder.mkdir()
    for name in ("firmware.elf", "build_info.json"):
        shutil.copy(built / name, folder)
    shutil.copytree(built / "bundles", folder / "bundles")
    return folder


def _run_build(folder: Path, *arguments: str | Path) -> None:
    # Any file that appears beside a model file makes its bundle outdated.
    beside = [word for word in arguments if Path(word).parent == BUILDS]
    assert not beside, f"other tests write beside {beside[0]}: give the model a folder of its own"
    outcome = run("build", "-d", folder, *arguments)
    assert outcome.code == 0, outcome.out + outcome.err
    # CMake compares the bundle with the same inputs, and must find nothing to do.
    log = BuildFolder(folder).log.read_text(encoding="utf-8")
    again = [line for line in log.splitlines() if "export again" in line]
    assert "-s" in arguments or not again, again
    bound = load_bound(BuildFolder(folder).stack_bound)
    assert bound is None or bound.is_complete, (bound.unresolved, bound.recursive, bound.unsized)


def _owner(folder: Path) -> str | None:
    """Return who uses a build folder in this run; None before its first build."""
    file = folder.with_name(f"{folder.name}.owner")
    run_id, _, owner = file.read_text(encoding="utf-8").partition(" ") if file.exists() else ("", "", "")
    return owner if run_id == _THIS_RUN else None


def _set_owner(folder: Path, owner: str) -> None:
    folder.with_name(f"{folder.name}.owner").write_text(f"{_THIS_RUN} {owner}", encoding="utf-8")


def offset_in_file(elf: Path, place: str | int) -> int:
    """Return the offset in the image's file of an address, or of a symbol's first byte."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        if isinstance(place, str):
            (symbol,) = image.get_section_by_name(".symtab").get_symbol_by_name(place)
            place = int(symbol["st_value"])
        section = next(
            section
            for section in image.iter_sections()
            if section["sh_type"] == "SHT_PROGBITS"
            and section["sh_addr"] <= place < section["sh_addr"] + section["sh_size"]
        )
        return int(section["sh_offset"] + place - section["sh_addr"])


@dataclass
class Bench:
    """A build folder and its target. `passes()` switches the target off afterwards."""

    folder: Path

    def __post_init__(self) -> None:
        owner = _owner(self.folder)
        assert owner is None or not owner.startswith("everybody"), f"use a copy of {self.folder}"

    def flash(self, *arguments: str | Path) -> Outcome:
        return run("flash", "-d", self.folder, *arguments)

    def check(self, *arguments: str | Path) -> Outcome:
        return run("check", "-d", self.folder, *arguments)

    def fault(self, *arguments: str | Path) -> Outcome:
        return run("fault", "-d", self.folder, *arguments)

    def passes(self) -> dict[str, Any]:
        """Power up, check, power off. Return the report of the check, which must pass."""
        try:
            flashed = self.flash()
            assert flashed.code == 0, flashed.out + flashed.err
            outcome = self.check("--json")
        finally:
            run("poweroff", "-d", self.folder)
        assert outcome.code == 0, outcome.out + outcome.err
        return outcome.json

    def state(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "target" / "state.json").read_text(encoding="utf-8"))
        return loaded
