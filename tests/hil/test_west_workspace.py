# SPDX-License-Identifier: Apache-2.0
"""A west workspace of another project whose manifest names Pilotlight, as in WEST.md.

Everything that firmware/examples/WEST.md says must be true. The workspace's clone has this
checkout's files as they are, committed or not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial
from door_panel import answer
from page import blocks
from repository import commit, git

from pilotlight.paths import ROOT
from pilotlight.targets import connect, power_off

PAGE = ROOT / "firmware" / "examples" / "WEST.md"
URL = "https://git.example/pilotlight # where you clone it from"
SET_UP = "pilotlight/scripts/setup.sh"


@dataclass(frozen=True)
class Workspace:
    folder: Path

    def type(self, command: str, *, below: str = ".") -> Typed:
        # The tests' own `west`. Its editable Pilotlight is the checkout's.
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder / below,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in result.stderr, result.stderr
        return Typed(result.returncode, result.stdout, result.stderr)


@dataclass(frozen=True)
class Typed:
    code: int
    out: str
    err: str


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "ws"
    (folder / "product").mkdir(parents=True)
    yield Workspace(folder)
    power_off(folder / "build")


def _pretend_to_be_set_up(clone: Path) -> None:
    """Give the clone a small virtual environment that set-up takes for complete.

    It has the tests' west. A real one takes gigabytes.
    """
    requirements = [clone / "python" / name for name in ("requirements.txt", "pyproject.toml")]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in requirements)).hexdigest()[:16]
    sources = hashlib.sha256((clone / "python" / "sources.txt").read_bytes()).hexdigest()[:16]
    files = {
        ".pilotlight-requirements": wanted,
        "src/.pilotlight-sources": sources,
        "bin/activate": "",
        "bin/west": f'#!/bin/sh\nexec {sys.executable} -m west "$@"\n',
        "bin/python": "#!/bin/sh\necho 'nothing is to be installed' >&2; exit 1\n",
    }
    for name, text in files.items():
        path = clone / ".venv" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o755)


def test_every_step_of_the_page_works(workspace: Workspace, upstream: str) -> None:
    clone, asked = workspace.folder / "pilotlight", False
    for block in blocks(PAGE):
        if block.kind == "yaml":
            assert URL in block.text
            (workspace.folder / block.title).write_text(block.text.replace(URL, upstream), encoding="utf-8")
            commit(workspace.folder / "product")
        elif block.kind == "text":
            assert _ask_the_board(workspace.folder / "build", b"knock\n") == block.text.strip()
            asked = True
        elif block.title != "interactive":
            for command in block.text.splitlines():
                if command == SET_UP:
                    _pretend_to_be_set_up(clone)
                typed = workspace.type(command)
                assert typed.code == 0, f"{command}:\n{typed.out}\n{typed.err}"
    assert asked
    assert {path.name for path in workspace.folder.iterdir()} == {".west", "build", "pilotlight", "product"}
    _is_built_from(clone, workspace.folder / "build")
    _holds_nothing_new(clone)
    assert workspace.type("west topdir", below="pilotlight").out.strip() == str(workspace.folder)
    _remembers_its_options_and_stands_anywhere(workspace)


def _ask_the_board(build: Path, question: bytes) -> str:
    with serial.serial_for_url(connect(build)) as port:
        port.write(question)
        return answer(port)


def _is_built_from(clone: Path, build: Path) -> None:
    """Assert that the build uses the clone, and not the checkout that the tests' Python has."""
    rules = (build / "build.ninja").read_text(encoding="utf-8")
    assert f"{clone}/firmware/model" in rules
    assert f"{ROOT}/firmware" not in rules and f"{ROOT}/cmake" not in rules
    assert f"PYTHONPATH={ROOT}" not in rules


def _holds_nothing_new(clone: Path) -> None:
    new = [name for name in git(clone, "status", "--porcelain", "--ignored", "-z").split("\0") if name]
    assert [name for name in new if "__pycache__" not in name] == ["!! .venv/"]


def _remembers_its_options_and_stands_anywhere(workspace: Workspace) -> None:
    typed = workspace.type("west build -d ../../build", below="product/panel")
    assert typed.code == 0 and f"built {workspace.folder}/build/door_panel" in typed.out, typed.err


def _fetch(workspace: Workspace, projects: dict[str, tuple[str, str]]) -> None:
    """Make a workspace of `projects`, in that order.

    projects: for each name, its URL and the path of its west commands.
    """
    lines = ["manifest:", "  projects:"]
    for name, (url, commands) in projects.items():
        lines += [f"    - {{name: {name}, url: '{url}', revision: main, west-commands: {commands}}}"]
    (workspace.folder / "product" / "west.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    typed = workspace.type("west init -l product && west update")
    assert typed.code == 0, typed.err


OURS = "python/pilotlight/west_commands/west-commands.yml"


def test_west_of_a_python_without_our_packages_says_what_to_do(workspace: Workspace, upstream: str) -> None:
    _fetch(workspace, {"pilotlight": (upstream, OURS)})
    lacking = workspace.folder.parent / "lacking"
    lacking.mkdir()
    (lacking / "rich.py").write_text("raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')\n")

    typed = workspace.type(f"PYTHONPATH={lacking} west build -b qemu-corstone300 -m digits")

    assert typed.code == 30
    assert f"({sys.executable}) lacks the package 'rich'" in typed.err
    clone = workspace.folder / "pilotlight"
    assert f"try: {clone}/scripts/setup.sh, then: . {clone}/.venv/bin/activate" in typed.err


def test_of_two_commands_of_one_name_west_takes_that_of_the_first_project(workspace: Workspace, upstream: str) -> None:
    other = workspace.folder.parent / "zephyr"
    other.mkdir()
    (other / "commands.yml").write_text("west-commands: [{file: b.py, commands: [{name: build, class: Build}]}]\n")
    (other / "b.py").write_text(
        "from west.commands import WestCommand\n"
        "class Build(WestCommand):\n"
        "    def __init__(self): super().__init__('build', '', '')\n"
        "    def do_add_parser(self, adder): return adder.add_parser(self.name)\n"
        "    def do_run(self, args, unknown): print('of somebody else')\n"
    )
    commit(other)
    zephyr, ours = (f"file://{other}", "commands.yml"), (upstream, OURS)
    _fetch(workspace, {"zephyr": zephyr, "pilotlight": ours})
    assert workspace.type("west build").out == "of somebody else\n"
    assert 'ignoring project pilotlight extension command "build"' in workspace.type("west build").err
    assert workspace.type("west poweroff").code == workspace.type("pilotlight poweroff").code == 0
    assert "was not built before" in workspace.type("pilotlight build").err
    shutil.rmtree(workspace.folder / ".west")
    _fetch(workspace, {"pilotlight": ours, "zephyr": zephyr})
    assert "was not built before" in workspace.type("west build").err
