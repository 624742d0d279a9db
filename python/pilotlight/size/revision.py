# SPDX-License-Identifier: Apache-2.0
"""Builds a git revision once with a build folder's settings, and keeps its sizes there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from pilotlight.build_folder import BuildFolder, Settings
from pilotlight.errors import BuildFailed, ConfigError, ToolMissing
from pilotlight.files import write_atomically
from pilotlight.paths import ROOT
from pilotlight.progress import telling
from pilotlight.size.measure import measure
from pilotlight.size.record import Sizes, load_sizes

# Folder inside the build folder.
_MEMORY = "size-at-revisions"
_DEADLINE_S = 1800.0


def sizes_at_revision(revision: str, folder: Path, console: Console) -> Sizes:
    """Return the sizes of the image that `folder` builds, at `revision`.

    If the settings name a project or a model file by path, `revision` belongs to that file's
    repository, otherwise to Pilotlight's. Everything outside that repository is used as it is now.

    Raises ConfigError if there is no such revision, ToolMissing without git, and BuildFailed.
    """
    settings = BuildFolder(folder).settings()
    if settings is None:
        raise ConfigError(
            f"{folder} was not built by `west build`, so its settings are not known, and {revision!r} cannot be built",
            hint="compare with another build folder, or with a file saved by: pilotlight size --json",
        )
    repository, commit = _resolve(revision, settings)
    key = hashlib.sha256(json.dumps(asdict(settings)).encode()).hexdigest()[:8]
    remembered = folder.absolute() / _MEMORY / f"{commit[:12]}-{key}.json"
    if remembered.is_file():
        return load_sizes(remembered)
    with (
        telling(console, f"building {revision} ({commit[:12]}) with the same settings, once"),
        _checkout(repository, commit, remembered.with_suffix("")) as tree,
    ):
        sizes = _build(settings, repository, tree, revision)
    write_atomically(remembered, json.dumps(sizes.as_json(), indent=1) + "\n")
    return sizes


def _resolve(revision: str, settings: Settings) -> tuple[Path, str]:
    """Return the repository and the commit. Raises ConfigError if there is none."""
    paths = [settings.source_dir, *(model for model in settings.model if "/" in model), str(ROOT)]
    inside = Path(next(path for path in paths if path))
    start = inside if inside.is_dir() else inside.parent
    top = _git(start, "rev-parse", "--show-toplevel")
    commit = _git(start, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not top or not commit:
        raise ConfigError(
            f"{revision!r} is neither a build folder, nor a file, nor a revision of the git repository of {start}",
            hint="for example: west size --diff HEAD~1",
        )
    return Path(top), commit


def _git(folder: Path, *arguments: str) -> str:
    """Return git's output; "" if it fails. Raises ToolMissing without git."""
    if shutil.which("git") is None:
        raise ToolMissing("git is not on PATH, so no revision can be compared with", hint="apt-get install git")
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@contextmanager
def _checkout(repository: Path, commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out below `folder` and remove it afterwards.

    Uncommitted work is not touched.
    """
    tree = folder / "source"
    _remove(repository, tree)
    _git(repository, "worktree", "add", "--detach", "--force", str(tree), commit)
    try:
        if not tree.is_dir():
            raise ConfigError(f"{commit[:12]} cannot be checked out into {tree}", hint="git worktree prune")
        yield tree
    finally:
        _remove(repository, tree)


def _remove(repository: Path, tree: Path) -> None:
    shutil.rmtree(tree.parent, ignore_errors=True)
    _git(repository, "worktree", "prune")


def _build(settings: Settings, repository: Path, tree: Path, revision: str) -> Sizes:
    folder = tree.parent / "build"
    own = repository.resolve() == ROOT.resolve()
    tool = tree if own else ROOT
    environment = {
        **os.environ,
        "PYTHONPATH": str(tool / "python"),
        # CMake finds the interpreter on PATH.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
    }
    command = [sys.executable, "-m", "pilotlight", "build", "-d", str(folder), *_options(settings, repository, tree)]
    code, output = _call(command, tool, environment)
    if code:
        raise BuildFailed(
            f"{revision} does not build with these settings:\n{output[-1500:].strip()}",
            hint="compare with another revision, or with a file saved by: pilotlight size --json",
        )
    return measure(folder)


def _call(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command. On a timeout or an interruption, kill it and all that it started."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=_DEADLINE_S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise BuildFailed(f"{' '.join(command[2:])} did not end in {_DEADLINE_S:.0f} s") from error
            raise
    return process.returncode, output


def _options(settings: Settings, repository: Path, tree: Path) -> list[str]:
    """Return the options of `west build` for the same settings, with paths in the other tree."""
    options = []
    for name, value in asdict(settings).items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            options.append(option)
        elif value:
            for item in value if isinstance(value, list | tuple) else (value,):
                options += [option, _moved(str(item), repository, tree)]
    return options


def _moved(value: str, repository: Path, tree: Path) -> str:
    path = Path(value)
    if path.is_absolute() and path.is_relative_to(repository):
        return str(tree / path.relative_to(repository))
    return value
