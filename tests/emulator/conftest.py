# SPDX-License-Identifier: Apache-2.0
"""The probe image, built once per board, and benches that run it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from probe_bench import PROBE, Bench, make_build

from pilotlight import targets


@pytest.fixture(scope="session")
def probe_image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that builds the probe for a board, once per session."""
    built: dict[str, Path] = {}

    def build(board: str) -> Path:
        if board not in built:
            folder = tmp_path_factory.mktemp(f"probe-{board}")
            configure = ["cmake", "-S", str(PROBE), "-B", str(folder), "-G", "Ninja", f"-DBOARD={board}"]
            for command in (configure, ["cmake", "--build", str(folder), "-j", "2"]):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stdout + done.stderr
            built[board] = folder / "firmware.elf"
        return built[board]

    return build


@pytest.fixture(params=["qemu-corstone300", "host"])
def bench(request: pytest.FixtureRequest, probe_image: Callable[[str], Path], tmp_path: Path) -> Iterator[Bench]:
    """A bench on each board that can run here. The bench is powered off after the test."""
    folder = make_build(tmp_path / "build", request.param, probe_image(request.param))
    yield Bench(folder)
    targets.power_off(folder)


@pytest.fixture
def qemu_bench(probe_image: Callable[[str], Path], tmp_path: Path) -> Iterator[Bench]:
    folder = make_build(tmp_path / "build", "qemu-corstone300", probe_image("qemu-corstone300"))
    yield Bench(folder)
    targets.power_off(folder)


@pytest.fixture(scope="session")
def powered(probe_image: Callable[[str], Path]) -> Iterator[Callable[[Path], Bench]]:
    """Return a function that powers up a QEMU bench in a folder, until the session ends."""
    folders: list[Path] = []

    def power_up(folder: Path) -> Bench:
        bench = Bench(make_build(folder / "build", "qemu-corstone300", probe_image("qemu-corstone300")))
        folders.append(bench.folder)
        bench.power_up()
        return bench

    yield power_up
    for folder in folders:
        targets.power_off(folder)
