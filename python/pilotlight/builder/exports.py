# SPDX-License-Identifier: Apache-2.0
"""Exports a model again if anything that its bundle depends on has changed."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.builder.inputs import Start, gather, watched_paths, what_changed
from pilotlight.builder.object_cache import as_make_rule
from pilotlight.builder.worker import export_in_worker, is_wanted, start_worker
from pilotlight.bundle import expectations_sha256, load_model_info
from pilotlight.errors import ConfigError
from pilotlight.export.report.report import load_report
from pilotlight.export_options import ExportOptions
from pilotlight.paths import ROOT

if TYPE_CHECKING:
    from pilotlight.export import ExportReport

# The file of a bundle that records its inputs. Without it, the model is exported again.
RECORD = "inputs.json"
_PACKAGE = Path(__file__).resolve().parents[1]
# All modules of the package that the exporter imports.
EXPORTER_MODULES = (
    "export/**/*.py",
    "npu/**/*.py",
    "pte/**/*.py",
    "bundle.py",
    "deadline.py",
    "debug_info.py",
    "errors.py",
    "export_options.py",
    "files.py",
    "kernels/kernel_list.py",
    "labels.py",
    "metrics/*.py",
    "model_spec.py",
    "npu_names.py",
    "paths.py",
    "progress.py",
    "recipe.py",
    "user_cache.py",
)


class _OpenedFiles:
    """Records the files that Python opens while `recording` is a set.

    An audit hook cannot be removed, so there is only one.
    """

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


def exporter_sources() -> Iterator[Path]:
    """Yield the Python files that a bundle depends on, in a fixed order."""
    for pattern in EXPORTER_MODULES:
        yield from sorted(_PACKAGE.glob(pattern))


def _exporter_hash() -> str:
    """Return a hash of the exporter's sources and the pinned versions."""
    digest = hashlib.sha256((ROOT / "python" / "requirements.txt").read_bytes())
    for path in exporter_sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _recorded(model: str, options: ExportOptions) -> dict[str, Any]:
    return {"model": model, **asdict(options)}


def why_outdated(model: str, options: ExportOptions, bundle: Path) -> str:
    """Return why `bundle` must be exported again, or "". Does not import PyTorch."""
    try:
        record = json.loads((bundle / RECORD).read_text(encoding="utf-8"))
        if record["options"] != _recorded(model, options):
            return "other options"
        if record["exporter"] != _exporter_hash():
            return "another version of pilotlight"
        load_model_info(bundle)
        if record["expectations"] != expectations_sha256(bundle):
            return "golden outputs or tolerances are not those of the export"
        return what_changed(record["inputs"], bundle)
    except FileNotFoundError:
        return "there is none"
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ConfigError):
        return "the bundle is damaged"


def export_if_needed(
    model: str, options: ExportOptions, bundle: Path, progress: Callable[[str], None]
) -> ExportReport | None:
    """Export into `bundle` unless it is up to date. Return the export's report, or None.

    Raises the errors of `export_model`. An earlier bundle then still exists but counts as out of
    date.
    """
    reason = why_outdated(model, options, bundle)
    if not reason:
        return None
    if bundle.exists():
        progress(f"export again: {reason}")
    (bundle / RECORD).unlink(missing_ok=True)
    if export_in_worker(model, options, bundle, progress):
        return load_report(bundle)
    report = export_now(model, options, bundle, progress)
    if is_wanted():
        start_worker()
    return report


def export_now(model: str, options: ExportOptions, bundle: Path, progress: Callable[[str], None]) -> ExportReport:
    """Export in this process, and record the inputs. Errors: `export_if_needed`."""
    from pilotlight.export import export_model
    from pilotlight.export.model.model_file import find_model_file

    start = Start.now(find_model_file(model), bundle)
    with _record_opened_files() as opened:
        report = export_model(model, options, bundle, progress=progress)
    inputs = gather(Path(load_model_info(bundle).source), opened, report.depends_on, bundle, start)
    if not inputs["folder"]:
        progress("the model's folder has too many files to watch: name what it reads in ModelSpec(depends_on=...)")
    record = {
        "options": _recorded(model, options),
        "exporter": _exporter_hash(),
        "expectations": expectations_sha256(bundle),
        "inputs": inputs,
    }
    (bundle / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return report


def write_depfile(bundle: Path, output: Path, depfile: Path) -> None:
    """Write the recorded inputs as a depfile in make's format for `output`."""
    record = json.loads((bundle / RECORD).read_text(encoding="utf-8"))
    depfile.write_bytes(as_make_rule(str(output), watched_paths(record["inputs"])))
