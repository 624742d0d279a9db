# SPDX-License-Identifier: Apache-2.0
"""Each model of an image has its own folder, with a name on which Python and CMake agree."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from pilotlight.build_folder.settings import Settings
from pilotlight.builder.bundles import bundle_names
from pilotlight.builder.command import _settings
from pilotlight.errors import ConfigError
from pilotlight.paths import MODELS, ROOT


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["digits"], ["digits"]),
        (["/nets/kws.py", "digits"], ["kws", "digits"]),
        (["/nets/a/model.py", "/nets/b/model.py"], ["a", "b"]),
        (["/nets/a", "/nets/b/"], ["a", "b"]),
        (["/nets/net.v1", "/nets/net.v2"], ["net.v1", "net.v2"]),
        (["/nets/1/door/model.py", "/nets/2/door/model.py"], ["1-door", "2-door"]),
        (["/x/a/net.py", "/y/a/net.py", "/y/other.py"], ["x-a-net", "y-a-net", "other"]),
        (["/nets/net.py", "/nets/net.pt2"], ["nets-net-py", "nets-net-pt2"]),
        (["digits", "/mine/digits.py"], ["digits", "mine-digits"]),
    ],
)
def test_no_two_models_share_a_name(models: list[str], names: list[str]) -> None:
    assert bundle_names(models) == names


@pytest.mark.parametrize(
    "models",
    [
        ["digits", "digits"],
        ["/a/net.py", "/b/net.py", "/a/net.py"],
        ["/nets/a", "/nets/a/model.py"],
        ["digits", str(MODELS / "digits" / "model.py")],
    ],
)
def test_a_model_named_twice_is_refused(models: list[str]) -> None:
    with pytest.raises(ConfigError, match="the same model"):
        bundle_names(models)


def test_cmake_gives_two_files_of_one_name_a_bundle_each(tmp_path: Path) -> None:
    # The project is only configured, because exports and compilation are steps of the build.
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text("")
    models = ";".join(str(tmp_path / name / "model.py") for name in "ab")
    build = tmp_path / "build"
    command = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(build), "-DBOARD=host", f"-DMODEL={models}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, *bundles = (build / "image.txt").read_text(encoding="utf-8").split()
    assert bundles == [str(build / "bundles" / name) for name in bundle_names(models.split(";"))]
    assert len(set(bundles)) == 2


def test_a_model_folder_in_the_working_folder_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "door").mkdir()
    (tmp_path / "net.pt2").write_text("")
    monkeypatch.chdir(tmp_path)
    args = argparse.Namespace(build_dir=tmp_path / "build", board="host", model=["door", "net.pt2", "digits"])
    assert _settings(args) == Settings("host", (str(tmp_path / "door"), str(tmp_path / "net.pt2"), "digits"))
