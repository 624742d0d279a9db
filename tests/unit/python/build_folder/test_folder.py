# SPDX-License-Identifier: Apache-2.0
"""The files of a build folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.build_folder import BuildFolder, BuildInfo
from pilotlight.errors import ConfigError


def info(elf: str) -> BuildInfo:
    return BuildInfo("host", "host", "digits", "0" * 16, True, "ethos-u55-128", elf)


def test_the_image_of_a_project_has_the_projects_own_name(tmp_path: Path) -> None:
    info("apps/door").save(tmp_path)
    assert BuildFolder(tmp_path).elf() == tmp_path / "apps/door"


def test_a_folder_that_only_cmake_built_has_an_image(tmp_path: Path) -> None:
    (tmp_path / "image.txt").write_text("/b/door\n/b/bundles/digits\n\n", encoding="utf-8")
    folder = BuildFolder(tmp_path)
    assert folder.elf() == Path("/b/door")
    assert folder.linked_image().bundles == (Path("/b/bundles/digits"),)


@pytest.mark.parametrize("name", ["", "typo"])
def test_a_folder_without_an_image_says_how_to_build_one(tmp_path: Path, name: str) -> None:
    folder = BuildFolder(tmp_path / name)
    with pytest.raises(ConfigError) as error:
        folder.elf()
    assert str(folder.path) in str(error.value) and "west build -d" in error.value.hint
