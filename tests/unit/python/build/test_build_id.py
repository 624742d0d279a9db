# SPDX-License-Identifier: Apache-2.0
"""The build id changes with every input, and with nothing else."""

from pathlib import Path

from pilotlight.build.build_id import build_id


def write(folder: Path, content: str) -> list[Path]:
    folder.mkdir()
    path = folder / "main.cpp"
    path.write_text(content)
    return [path]


def test_same_sources_in_another_folder_have_the_same_id(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert build_id(write(one, "x"), one, "gcc") == build_id(write(two, "x"), two, "gcc")


def test_content_name_and_toolchain_each_change_the_id(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    paths = write(one, "x")
    other = write(two, "y")
    renamed = paths[0].with_name("app.cpp")
    renamed.write_text("x")
    ids = {
        build_id(paths, one, "gcc"),
        build_id(other, two, "gcc"),
        build_id([renamed], one, "gcc"),
        build_id(paths, one, "clang"),
    }
    assert len(ids) == 4
    assert all(len(identity) == 16 and int(identity, 16) >= 0 for identity in ids)
