# SPDX-License-Identifier: Apache-2.0
"""The settings that a build folder remembers."""

import shlex
from pathlib import Path

import pytest

from pilotlight.build_folder.settings import Settings, load_settings, save_settings
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
