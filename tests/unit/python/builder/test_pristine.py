# SPDX-License-Identifier: Apache-2.0
"""When a build folder is emptied."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.build_folder.settings import Settings, save_settings
from pilotlight.builder.pristine import make_pristine, needs_pristine
from pilotlight.errors import ConfigError


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
