# SPDX-License-Identifier: Apache-2.0
"""The options of a build folder, kept for the next `west build`."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pilotlight.builder.model_options import ModelOptions
from pilotlight.errors import ConfigError, PilotlightError
from pilotlight.files import write_atomically

_FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """Options of `west build` that a build folder remembers. "" means the board's default."""

    board: str
    model: tuple[str, ...] = ()
    """Name or path of each model. Empty if `source_dir` is set, whose project names them."""
    source_dir: str = ""
    """CMake project to build instead of our check app. It calls pilotlight_add_model()."""
    npu: str = ""
    system_config: str = ""
    memory_mode: str = ""
    runtime: str = ""
    float_io: bool = False
    require_full_delegation: bool = False
    shared_arena: bool = False

    @property
    def options(self) -> ModelOptions:
        """The options that apply to all models of the image."""
        return ModelOptions(**{field.name: getattr(self, field.name) for field in fields(ModelOptions)})


def load_settings(folder: Path) -> Settings | None:
    """Return the settings of `folder`, or None if it has none. Raises ConfigError if damaged."""
    try:
        values = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return Settings(**{**values, "model": tuple(values["model"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder / _FILE}: damaged ({error})",
            hint=f"build afresh: west build -p always -d {shlex.quote(str(folder))} -b BOARD -m MODEL",
        ) from error


def save_settings(folder: Path, settings: Settings) -> None:
    """Write settings.json atomically, and create `folder` if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / _FILE, json.dumps(asdict(settings), indent=2) + "\n")


def needs_pristine(before: Settings | None, now: Settings) -> bool:
    """Whether board, runtime or project differ, so that the folder must be emptied."""
    return before is not None and (before.board, before.runtime, before.source_dir) != (
        now.board,
        now.runtime,
        now.source_dir,
    )


def make_pristine(folder: Path, kept: Collection[str] = ()) -> None:
    """Empty a build folder, except the entries named in `kept`.

    Raises ConfigError if it does not look like a build folder, because it may hold the user's
    files.
    """
    if not folder.exists():
        return
    looks_ours = (folder / _FILE).exists() or (folder / "CMakeCache.txt").exists() or not any(folder.iterdir())
    if not looks_ours:
        raise ConfigError(f"{folder} is not a build folder, and -p would delete it", hint="name another with -d")
    from pilotlight.targets import power_off

    with contextlib.suppress(PilotlightError):  # Nothing was running.
        power_off(folder)
    if not kept:
        shutil.rmtree(folder)
        return
    for entry in folder.iterdir():
        if entry.name in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
