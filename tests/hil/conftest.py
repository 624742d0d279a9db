# SPDX-License-Identifier: Apache-2.0
"""Builds and powered benches for the end-to-end tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import publish_checkout
from workflow import Bench, build, run


@pytest.fixture(scope="session")
def digits_build() -> Path:
    return build("digits", "-b", "qemu-corstone300", "-m", "digits")


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a repository that holds this checkout's files."""
    return publish_checkout(tmp_path_factory.mktemp("upstream") / "pilotlight")


@pytest.fixture
def digits(digits_build: Path, tmp_path: Path) -> Iterator[Bench]:
    """The digits image in a folder of this test alone, so that the test may change it."""
    folder = tmp_path / "build"
    folder.mkdir()
    for name in ("firmware.elf", "build_info.json"):
        shutil.copy(digits_build / name, folder)
    shutil.copytree(digits_build / "bundles", folder / "bundles")
    yield Bench(folder)
    run("poweroff", "-d", folder)
