# SPDX-License-Identifier: Apache-2.0
"""An export is repeated only if one of its inputs changed."""

import ast
import hashlib
import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import pilotlight.export
from pilotlight.builder import export_step, exports, image
from pilotlight.builder.exports import export_if_needed, exporter_sources, why_outdated, write_depfile
from pilotlight.bundle import ModelInfo, Tolerance, load_model_info
from pilotlight.export_options import ExportOptions
from pilotlight.paths import ROOT


class Report(str):
    """Replaces an ExportReport."""

    depends_on: tuple[str, ...] = ()


OPTIONS = ExportOptions("ethos-u55-128")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with a weights file, and an exporter that reads both and writes a minimal bundle."""
    (tmp_path / "model.py").write_text("weights = open(__file__.replace('model.py', 'weights.bin'), 'rb').read()\n")
    (tmp_path / "weights.bin").write_bytes(b"weights")

    def export_model(model: str, options: ExportOptions, out: Path, **_: object) -> str:
        source = tmp_path / "model.py"
        exec(compile(source.read_text(), str(source), "exec"), {"__file__": str(source)})
        out.mkdir(parents=True, exist_ok=True)
        (out / "model.pte").write_bytes(b"program")
        digest = hashlib.sha256(b"program").hexdigest()
        info = ModelInfo("m", str(source), options.npu, "", "", (), (), (), digest)
        replace(info, warnings=("y: SQNR 3.0 dB",), weak=("y is the same",)).save(out)
        (out / "golden.npz").write_bytes(b"golden outputs")
        return Report("report")

    monkeypatch.setattr(pilotlight.export, "export_model", export_model)
    return tmp_path


def export(folder: Path, options: ExportOptions = OPTIONS) -> object:
    return export_if_needed(str(folder / "model.py"), options, folder / "out" / "bundle", lambda line: None)


def test_second_export_of_an_unchanged_model_does_nothing(folder: Path) -> None:
    assert export(folder) == "report"
    assert export(folder) is None


@pytest.mark.parametrize("name", ["model.py", "weights.bin"])
def test_change_of_a_file_that_the_model_read_exports_again(folder: Path, name: str) -> None:
    export(folder)
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert export(folder) == "report"


def test_touching_a_file_is_no_change(folder: Path) -> None:
    export(folder)
    (folder / "weights.bin").touch()
    assert export(folder) is None


def test_other_options_export_again(folder: Path) -> None:
    export(folder)
    assert export(folder, ExportOptions("ethos-u55-256")) == "report"


def test_damaged_program_exports_again(folder: Path) -> None:
    export(folder)
    (folder / "out" / "bundle" / "model.pte").write_bytes(b"flipped")
    assert why_outdated(str(folder / "model.py"), OPTIONS, folder / "out" / "bundle") == "the bundle is damaged"


def test_golden_outputs_and_tolerances_that_are_not_the_exports_are_exported_again(folder: Path) -> None:
    bundle = folder / "out" / "bundle"
    export(folder)
    (bundle / "golden.npz").write_bytes(b"zeros")
    assert export(folder) == "report"
    assert (bundle / "golden.npz").read_bytes() == b"golden outputs"
    replace(load_model_info(bundle), tolerances=(Tolerance(1e9, 1.0),)).save(bundle)
    assert export(folder) == "report"
    assert load_model_info(bundle).tolerances == ()


def test_deciding_that_nothing_is_to_do_does_not_import_torch(folder: Path) -> None:
    export(folder)
    loaded = "torch" in sys.modules
    assert why_outdated(str(folder / "model.py"), OPTIONS, folder / "out" / "bundle") == ""
    assert ("torch" in sys.modules) == loaded


def test_a_change_of_the_exporter_exports_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder / "package"
    for name in ("export/pipeline.py", "npu_names.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("a = 1\n")
    monkeypatch.setattr(exports, "_PACKAGE", package)
    export(folder)
    assert export(folder) is None
    for name in ("export/pipeline.py", "npu_names.py"):
        (package / name).write_text("a = 2\n")
        assert export(folder) == "report"


def test_all_modules_that_the_exporter_imports_count_as_the_exporter() -> None:
    package = Path(pilotlight.export.__file__).parents[1]
    waiting = sorted((package / "export").rglob("*.py"))
    reached = set(waiting)
    while waiting:
        for imported in imported_files(waiting.pop(), package) - reached:
            reached.add(imported)
            waiting.append(imported)
    empty = {path for path in reached if path.name == "__init__.py" and not imported_files(path, package)}
    assert reached - empty <= set(exporter_sources())


def test_cmake_watches_every_source_of_the_exporter() -> None:
    package = Path(pilotlight.export.__file__).parents[1]
    text = (ROOT / "cmake" / "model.cmake").read_text(encoding="utf-8")
    globs = re.findall(r"file\((GLOB|GLOB_RECURSE) (?:exporter|shared) CONFIGURE_DEPENDS ([^)]+)\)", text)
    watched = set()
    for kind, patterns in globs:
        for pattern in patterns.replace("${package}/", "").split():
            folder, name = package / Path(pattern).parent, Path(pattern).name
            watched |= set(folder.rglob(name) if kind == "GLOB_RECURSE" else folder.glob(name))
    assert set(exporter_sources()) <= watched


def imported_files(source: Path, package: Path) -> set[Path]:
    """Return the package's files that an import anywhere in `source` reads."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = [package.parent / name.replace(".", "/") for name in names if name.startswith("pilotlight.")]
    files = [path.with_suffix(".py") for path in paths] + [path / "__init__.py" for path in paths]
    return {file for file in files if file.exists()}


def test_depfile_names_what_the_model_read(folder: Path) -> None:
    export(folder)
    write_depfile(folder / "out" / "bundle", Path("model.json"), folder / "export.d")
    target, _, names = (folder / "export.d").read_text().partition(": ")
    assert target == "model.json"
    assert set(names.split()) == {str(folder), str(folder / "model.py"), str(folder / "weights.bin")}


@pytest.mark.parametrize("step", ["west build", "CMake"])
def test_a_build_repeats_what_the_export_found_even_when_it_is_up_to_date(
    folder: Path, step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export(folder)
    bundle = folder / "out" / "bundle"
    out = io.StringIO()
    if step == "west build":
        image._export(str(folder / "model.py"), OPTIONS, bundle, Console(file=out))
        said = out.getvalue()
        assert "up to date" in said
    else:
        monkeypatch.setattr(export_step, "export_if_needed", lambda *_: None)
        arguments = ["--board", "host", "--model", "m", "--bundle", str(bundle), "--depfile", str(folder / "d")]
        monkeypatch.setattr(sys, "argv", ["export_step", *arguments])
        assert export_step.main() == 0
        said = capsys.readouterr().out
    assert "warning: y: SQNR 3.0 dB" in said and "y is the same" in said
