# SPDX-License-Identifier: Apache-2.0
"""A wrong option ends a build before it changes anything of an earlier build."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from pilotlight.build_folder.settings import Settings, load_settings, save_settings
from pilotlight.builder import command, image
from pilotlight.builder.pristine import make_pristine
from pilotlight.cli import main
from pilotlight.errors import ModelError

BUILT = Settings("qemu-corstone300", ("digits",))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A build folder with those files of a finished build that matter here."""
    folder = tmp_path / "build"
    save_settings(folder, BUILT)
    for name in ("build_info.json", "firmware.elf", "bundles/digits/model.pte"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


TYPOS = {
    "a project that is not there": (["-s", "TYPO"], "TYPO: no such folder"),
    "a folder without a project": (["-s", "{empty}"], "holds no CMakeLists.txt"),
    "a model that is not there": (["-m", "digit"], "did you mean 'digits'?"),
    "a folder as a model": (["-m", ".."], "no such file"),
    "one of two models": (["-m", "digits", "-m", "nothing.py"], "nothing.py"),
    "the same model twice": (["-m", "digits", "-m", "digits"], "are the same model"),
    "another board and a wrong model": (["-b", "host", "-m", "digit"], "did you mean 'digits'?"),
    "a board": (["-b", "qemu-corstone30"], "qemu-corstone30"),
    "an NPU": (["--npu", "ethos-u55-100"], "'ethos-u55-100' does not exist"),
    "a memory mode": (["--memory-mode", "Sram"], "memory mode 'Sram' is not one"),
    "a system configuration": (["--system-config", "Fast"], "system configuration 'Fast' is not one"),
    "a runtime": (["--runtime", "package"], "is for this machine"),
    "a model and a project": (["-m", "digits", "-s", "{project}"], "exclude each other"),
    "a word too many": (["digits"], "'digits' is neither an option nor -DNAME=VALUE"),
    "a variable without a value": (["--", "-DNAME"], "'-DNAME' is neither an option nor"),
    "a variable that an option sets": (["--", "-DBOARD=host"], "this variable follows from --board"),
    "anew with a wrong model": (["-p", "always", "-m", "digit"], "did you mean 'digits'?"),
    "anew with a wrong project": (["-p", "always", "-s", "TYPO"], "TYPO: no such folder"),
}


@pytest.mark.parametrize("typo", TYPOS)
def test_it_changes_nothing_and_is_not_remembered(
    typo: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("executorch_DIR", "executorch_ROOT", "CMAKE_PREFIX_PATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "CMakeLists.txt").touch()
    options, said = TYPOS[typo]
    before = content(built)
    places = {"empty": str(tmp_path / "empty"), "project": str(tmp_path / "project")}
    code = main(["build", "-d", str(built), *(option.format(**places) for option in options)])
    told = " ".join(capsys.readouterr().err.split())
    assert code == 20 and said in told and "Traceback" not in told
    assert content(built) == before


def test_models_are_refused_in_the_folder_of_a_project(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_settings(built, Settings("qemu-corstone300", source_dir="/apps/door"))
    assert main(["build", "-d", str(built), "-m", "kws"]) == 20
    assert "builds the project /apps/door, which names its own models" in capsys.readouterr().err
    assert load_settings(built) == Settings("qemu-corstone300", source_dir="/apps/door")


def test_a_model_that_cannot_be_exported_for_another_board_leaves_the_earlier_image(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(*arguments: object) -> None:
        raise ModelError("no weights")

    monkeypatch.setattr(image, "_export", export)
    before = content(built)
    assert main(["build", "-d", str(built), "-b", "host"]) != 0
    assert content(built) == before


def test_damaged_settings_are_no_obstacle_to_building_anew(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / "settings.json").write_text("{", encoding="utf-8")
    asked: list[Settings] = []
    monkeypatch.setattr("pilotlight.builder.image.build_image", lambda folder, settings, **_: asked.append(settings))
    monkeypatch.setattr("pilotlight.builder.command._print_summary", lambda console, summary: None)
    assert main(["build", "-d", str(built), "-b", "host", "-m", "digits"]) == 20
    assert "west build -p always" in " ".join(capsys.readouterr().err.split())
    assert main(["build", "-d", str(built), "-p", "always", "-b", "host", "-m", "digits"]) == 0
    assert asked == [Settings("host", ("digits",))]


def test_variables_for_cmake_follow_two_dashes_as_in_zephyr(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got: dict[str, str] = {}
    monkeypatch.setattr("pilotlight.builder.command._print_summary", lambda console, summary: None)
    monkeypatch.setattr(
        "pilotlight.builder.image.build_image", lambda *_, definitions, **__: got.update(definitions) or None
    )
    assert main(["build", "-d", str(built), "--", "-DDOOR=front=left", "-DSPEED:STRING="]) == 0
    assert got == {"DOOR": "front=left", "SPEED": ""}


def test_what_is_to_be_kept_survives_the_emptying(built: Path) -> None:
    make_pristine(built, kept=("bundles",))
    assert content(built) == {"bundles/digits/model.pte": "bundles/digits/model.pte"}


def test_a_folder_of_models_becomes_one_of_a_project(built: Path, tmp_path: Path) -> None:
    parser = command.add_parser(argparse.ArgumentParser().add_subparsers())
    settings = command._settings(parser.parse_args(["-d", str(built), "-s", str(tmp_path)]))
    assert (settings.model, settings.source_dir) == ((), str(tmp_path))
    assert json.loads((built / "settings.json").read_text())["model"] == ["digits"]
