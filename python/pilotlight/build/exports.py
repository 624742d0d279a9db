# SPDX-License-Identifier: Apache-2.0
"""Keeps an export bundle up to date with the files that went into it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.bundle import load_model_info
from pilotlight.errors import ConfigError
from pilotlight.paths import ROOT

if TYPE_CHECKING:
    from pilotlight.export import ExportReport

_RECORD = "inputs.json"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class ExportOptions:
    """What an export depends on besides the model's files."""

    model: str
    target: str
    system_config: str | None = None
    memory_mode: str | None = None
    float_io: bool | None = None
    require_full_delegation: bool = False
    board_system_config: str | None = None
    board_memory_mode: str | None = None


class _OpenedFiles:
    """Files opened for reading while `recording`; an audit hook, since those cannot be removed again."""

    def __init__(self) -> None:
        self.recording: set[Path] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.recording is None or event != "open" or not isinstance(args[0], (str, bytes, os.PathLike)):
            return
        self.recording.add(Path(os.fsdecode(args[0])))


_opened: _OpenedFiles | None = None


@contextmanager
def _record_opened_files() -> Iterator[set[Path]]:
    global _opened
    _opened = _opened or _OpenedFiles()
    paths: set[Path] = set()
    _opened.recording = paths
    try:
        yield paths
    finally:
        _opened.recording = None


def _is_model_input(path: Path, out: Path) -> bool:
    """Files of the interpreter, of this package, of the system and of the export itself are not inputs."""
    outside = [Path(sys.prefix), Path(sys.base_prefix), _PACKAGE, out.parent, Path("/proc"), Path("/sys"), Path("/dev")]
    outside += [Path("/etc"), Path("/usr"), Path("/tmp/torchinductor"), ROOT / "build"]
    return path.is_file() and not any(path.is_relative_to(folder) for folder in outside)


def _source_of(path: Path) -> Path:
    """A cached bytecode file stands for its source."""
    path = path.absolute()
    if path.suffix == ".pyc":
        try:
            return Path(importlib.util.source_from_cache(str(path)))
        except ValueError:
            return path
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _exporter_hash() -> str:
    """Changes when the exporter or a pinned version changes."""
    digest = hashlib.sha256((ROOT / "python" / "requirements.txt").read_bytes())
    parts = [_PACKAGE / name for name in ("bundle.py", "debug_info.py", "model_spec.py")]
    for path in [*sorted((_PACKAGE / "export").rglob("*.py")), *parts]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_up_to_date(options: ExportOptions, bundle: Path) -> bool:
    """Tell whether `bundle` is what exporting with `options` would write. Does not import PyTorch."""
    try:
        record = json.loads((bundle / _RECORD).read_text(encoding="utf-8"))
        load_model_info(bundle)
        return bool(
            record["options"] == asdict(options)
            and record["exporter"] == _exporter_hash()
            and all(_sha256(Path(path)) == digest for path, digest in record["files"].items())
        )
    except (OSError, ValueError, KeyError, AttributeError, ConfigError):
        return False


def export_if_needed(options: ExportOptions, bundle: Path, progress: Callable[[str], None]) -> ExportReport | None:
    """Export into `bundle` unless it is up to date; return the report of an export that ran.

    Raises what `export_model` raises; an earlier bundle is then still there, and no longer up to date.
    """
    if is_up_to_date(options, bundle):
        return None
    (bundle / _RECORD).unlink(missing_ok=True)

    from pilotlight.export import export_model

    arguments = asdict(options)
    with _record_opened_files() as opened:
        report = export_model(arguments.pop("model"), arguments.pop("target"), bundle, progress=progress, **arguments)
    inputs = sorted({_source_of(path) for path in opened})
    files = {str(path): _sha256(path) for path in inputs if _is_model_input(path, bundle)}
    record = {"options": asdict(options), "exporter": _exporter_hash(), "files": files}
    (bundle / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return report


def write_depfile(bundle: Path, output: Path, depfile: Path) -> None:
    """Write the recorded inputs as a make-style depfile for `output`."""
    record = json.loads((bundle / _RECORD).read_text(encoding="utf-8"))
    names = " ".join(path.replace(" ", "\\ ") for path in record["files"])
    depfile.write_text(f"{str(output).replace(' ', chr(92) + ' ')}: {names}\n", encoding="utf-8")
