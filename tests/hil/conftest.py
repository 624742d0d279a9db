# SPDX-License-Identifier: Apache-2.0
"""Builds and powered benches for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import publish_checkout
from workflow import Bench, copy_of, run, shared_build


@pytest.fixture(scope="session")
def digits_build() -> Path:
    return shared_build("digits", "-b", "qemu-corstone300", "-m", "digits")


@pytest.fixture(scope="session")
def kws_build() -> Path:
    return shared_build("kws", "-b", "qemu-corstone300", "-m", "kws")


@pytest.fixture(scope="session")
def float_build() -> Path:
    """An image with two operators on the CPU."""
    return shared_build("digits-float", "-b", "qemu-corstone300", "-m", "digits", "--float-io")


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a repository that holds this checkout's files."""
    return publish_checkout(tmp_path_factory.mktemp("upstream") / "pilotlight")


@pytest.fixture
def digits(digits_build: Path, tmp_path: Path) -> Iterator[Bench]:
    """The digits image in a folder of this test alone, so that the test may change it."""
    folder = copy_of(digits_build, tmp_path / "build")
    yield Bench(folder)
    run("poweroff", "-d", folder)
