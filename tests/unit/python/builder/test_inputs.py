# SPDX-License-Identifier: Apache-2.0
"""The inputs of an export are found, even those that Python does not open as files.

Other files are not recorded.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from pilotlight.builder import inputs
from pilotlight.builder.inputs import Start, gather, watched_paths, what_changed


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "weights").mkdir(parents=True)
    (folder / "model.py").write_text("a model")
    (folder / "weights" / "first.bin").write_bytes(b"1")
    return folder / "model.py"


def bundle_of(model: Path) -> Path:
    return model.parent / "build" / "bundles" / "model"


def record_of(model: Path, *opened: Path, depends_on: tuple[str, ...] = ()) -> dict[str, Any]:
    return gather(model, {model, *opened}, depends_on, bundle_of(model), Start.now(model, bundle_of(model)))


Change = Callable[[Path], object]
IN_THE_FOLDER: dict[str, tuple[Change, str]] = {
    "a file that C++ reads": (lambda f: (f / "weights" / "first.bin").write_bytes(b"2"), "first.bin has changed"),
    "a file that a glob would find": (lambda f: (f / "weights" / "second.bin").write_bytes(b"2"), "second.bin is new"),
    "a new folder": (lambda f: os.renames(f / "weights" / "first.bin", f / "more" / "first.bin"), "first.bin is new"),
    "a file that is gone": (lambda f: (f / "weights" / "first.bin").unlink(), "first.bin is gone"),
    "the model": (lambda f: (f / "model.py").write_text("another"), "model.py has changed"),
}


@pytest.mark.parametrize("what", IN_THE_FOLDER)
def test_the_whole_folder_of_the_model_counts(model: Path, what: str) -> None:
    change, said = IN_THE_FOLDER[what]
    record = record_of(model)
    assert what_changed(record, bundle_of(model)) == ""
    change(model.parent)
    assert what_changed(record, bundle_of(model)).endswith(said)


@pytest.mark.parametrize(
    "name",
    ["main.cpp", "CMakeLists.txt", "README.md", ".git/index", "__pycache__/model.cpython-311.pyc", "run.log",
     "build/firmware.map", "build/bundles/model/golden.npz"],
)  # fmt: skip
def test_firmware_documents_and_results_beside_the_model_do_not_count(model: Path, name: str) -> None:
    record = record_of(model)
    path = model.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")
    assert what_changed(record, bundle_of(model)) == ""


@pytest.mark.parametrize("marker", ["CMakeCache.txt", "build_info.json", "pyvenv.cfg"])
def test_other_results_in_the_folder_do_not_count(model: Path, marker: str) -> None:
    record = record_of(model)
    other = model.parent / "other"
    (other / "deeper").mkdir(parents=True)
    (other / marker).write_text("")
    (other / "deeper" / "data.bin").write_text("")
    assert what_changed(record, bundle_of(model)) == ""


def test_a_document_that_python_opened_counts(model: Path) -> None:
    notes = model.parent / "classes.md"
    notes.write_text("cat, dog")
    record = record_of(model, notes)
    notes.write_text("cat")
    assert what_changed(record, bundle_of(model)).endswith("classes.md has changed")


def test_what_the_model_says_it_depends_on_counts(model: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("1")
    record = record_of(model, depends_on=(str(model.parent / ".." / "data" / "*.csv"), str(tmp_path / "none")))
    assert what_changed(record, bundle_of(model)) == ""
    (data / "a.txt").write_text("")
    assert what_changed(record, bundle_of(model)) == ""
    (data / "b.csv").write_text("2")
    assert what_changed(record, bundle_of(model)).endswith("b.csv is new")


def test_data_below_the_environment_and_the_system_count_but_installed_modules_do_not(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "prefix" / "lib" / "site-packages"
    files = {name: library / "package" / name for name in ("weights.bin", "module.py")}
    files["app"] = tmp_path / "prefix" / "src" / "app" / "network.py"
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("before")
    monkeypatch.setattr(inputs, "_libraries", lambda: [library])
    record = record_of(model, *files.values(), Path("/etc/passwd"), Path("/proc/stat"))
    assert {str(files["weights.bin"]), str(files["app"]), "/etc/passwd"} <= record["files"].keys()
    assert not {str(files["module.py"]), "/proc/stat"} & record["files"].keys()


@pytest.mark.parametrize("variable", ["PILOTLIGHT_WEIGHT_CACHE", "PILOTLIGHT_COMPILED_LOOPS"])
def test_the_simulators_caches_are_no_inputs(
    variable: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept" / "key"
    monkeypatch.setenv(variable, str(kept.parent))
    kept.parent.mkdir()
    kept.write_bytes(b"decoded")
    assert str(kept) not in record_of(model, kept)["files"]


def test_another_version_of_a_package_counts(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "installed_packages", lambda: {"timm": "1.0"})
    record = record_of(model)
    monkeypatch.setattr(inputs, "installed_packages", lambda: {"timm": "1.1"})
    assert what_changed(record, bundle_of(model)) == "package timm: 1.0 then, 1.1 now"
    monkeypatch.setattr(inputs, "installed_packages", lambda: {})
    assert what_changed(record, bundle_of(model)) == "package timm: 1.0 then, none now"


def test_packages_have_the_names_and_versions_of_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (
        first / "torch-2.13.0+cpu.dist-info",
        first / "torch",
        first / "pilotlight-0.1.0.dist-info",
        second / "torch-1.0.dist-info",
        second / "old.egg-info",
    ):
        folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", ["", str(first), str(tmp_path / "missing"), str(second)])
    monkeypatch.chdir(tmp_path)
    assert inputs.installed_packages() == {"torch": "2.13.0+cpu", "old": ""}


def test_all_installed_packages_are_found() -> None:
    known = {re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version for found in distributions()}
    known.pop("pilotlight")
    assert {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in inputs.installed_packages().items()} == known


def test_of_a_folder_with_too_many_files_only_those_that_were_read_count(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MOST_FILES", 1)
    record = record_of(model)
    assert record["folder"] == "" and record["files"].keys() == {str(model)}
    (model.parent / "weights" / "second.bin").write_bytes(b"2")
    assert what_changed(record, bundle_of(model)) == ""
    model.write_text("another")
    assert what_changed(record, bundle_of(model)).endswith("model.py has changed")


def test_a_file_that_changed_while_the_export_ran_counts_as_changed(model: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.bin"
    outside.write_bytes(b"1")
    start = Start.now(model, bundle_of(model))
    for path in (model, outside):
        path.write_bytes(b"2")
        os.utime(path, ns=(start.time_ns, start.time_ns))
        record = gather(model, {model, outside}, (), bundle_of(model), start)
        assert what_changed(record, bundle_of(model)) == f"{path} has changed"
        path.write_bytes(b"a model" if path == model else b"1")
        os.utime(path, ns=(start.time_ns - 1, start.time_ns - 1))
    assert what_changed(gather(model, {model, outside}, (), bundle_of(model), start), bundle_of(model)) == ""


def test_a_model_in_the_build_folder_itself_is_not_exported_for_each_result(model: Path) -> None:
    bundle = model.parent / "bundles" / "model"
    record = gather(model, {model}, (), bundle, Start.now(model, bundle))
    (model.parent / "build_info.json").write_text("{}")
    (model.parent / "firmware.bin").write_bytes(b"")
    assert what_changed(record, bundle) == ""
    (model.parent / "layers.py").write_text("")
    assert what_changed(record, bundle).endswith("layers.py is new")


def test_cmake_is_told_of_the_folders_in_which_a_file_may_appear(model: Path) -> None:
    folder = model.parent
    expected = {folder, folder / "weights", model, folder / "weights" / "first.bin"}
    assert set(watched_paths(record_of(model))) == set(map(str, expected))
