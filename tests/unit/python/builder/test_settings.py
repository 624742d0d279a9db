# SPDX-License-Identifier: Apache-2.0
"""The settings that a build folder remembers, and when the folder is emptied."""

import shlex
from pathlib import Path

import pytest

from pilotlight.builder.settings import Settings, load_settings, make_pristine, needs_pristine, save_settings
from pilotlight.errors import ConfigError


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    settings = Settings("qemu-corstone300", ("digits",), npu="ethos-u55-256", float_io=True)
    save_settings(tmp_path, settings)
    assert load_settings(tmp_path) == settings


def test_folder_never_built_has_no_settings(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "nothing") is None


def test_damaged_settings_are_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ConfigError, match=r"settings\.json: damaged"):
        load_settings(tmp_path)


def test_the_command_of_a_hint_has_the_folder_in_quotes(tmp_path: Path) -> None:
    folder = tmp_path / "my builds"
    folder.mkdir()
    (folder / "settings.json").write_text("{")
    with pytest.raises(ConfigError) as caught:
        load_settings(folder)
    assert str(folder) in shlex.split(caught.value.hint)


def test_another_board_needs_a_fresh_folder_and_another_model_does_not() -> None:
    before = Settings("qemu-corstone300", ("digits",))
    assert needs_pristine(before, Settings("host", ("digits",)))
    assert not needs_pristine(before, Settings("qemu-corstone300", ("kws",)))


def test_pristine_refuses_a_folder_that_is_not_a_build_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not a build folder"):
        make_pristine(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_pristine_empties_a_build_folder(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    save_settings(folder, Settings("host", ("digits",)))
    make_pristine(folder)
    assert not folder.exists()
