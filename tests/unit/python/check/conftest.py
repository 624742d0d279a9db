# SPDX-License-Identifier: Apache-2.0
"""A finished build folder, and a bench to check it on."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from check_report_fixture import report as report
from fake_bench import BUILD_ID, INPUT, OUTPUT, PTE, SAMPLES, Bench, Rewrite, record_expectations
from still_clock import stop_the_clock

from pilotlight.build_folder.build_info import BuildInfo, BuiltModel
from pilotlight.bundle import ModelInfo, expectations_sha256
from pilotlight.check import connection, run
from pilotlight.codegen import Arenas
from pilotlight.link import exchange, session


@pytest.fixture
def build_dir(tmp_path: Path) -> Path:
    bundle = tmp_path / "bundles" / "fake"
    bundle.mkdir(parents=True)
    (bundle / "model.pte").write_bytes(PTE)
    digest = hashlib.sha256(PTE).hexdigest()
    labels = tuple(f"class {i}" for i in range(10))
    info = ModelInfo("fake", "fake.py", "ethos-u55-128", "s", "m", (INPUT,), (OUTPUT,), labels, digest)
    info.save(bundle)
    random = np.random.default_rng(3)
    images = random.integers(-128, 128, (SAMPLES, 1, 8, 8), dtype=np.int8)
    golden = np.ascontiguousarray(images.reshape(SAMPLES, 64)[:, 9::-1])
    quantised = golden.copy()
    quantised[5, 2] ^= 1
    truth = golden.argmax(axis=1)
    truth[0] = (truth[0] + 1) % 10
    arrays = {"input_0": images, "golden_0": golden, "quantised_0": quantised, "labels": truth.astype(np.int64)}
    np.savez_compressed(bundle / "golden.npz", fp32_0=golden.astype(np.float32) * 0.25, **arrays)
    memory = asdict(Arenas(method_pool=3000, planned=(2048,), temp_pool=512))
    expectations = expectations_sha256(bundle)
    models = (BuiltModel("fake", "bundles/fake", expectations, memory),)
    board, npu = "qemu-corstone300", "ethos-u55-128"
    BuildInfo(board, board, "fake", BUILD_ID, True, npu, "firmware.elf", models).save(tmp_path)
    return tmp_path


@pytest.fixture
def bench(build_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    stop_the_clock(monkeypatch)
    for module, name in ((exchange, "ANSWER_TIMEOUT_S"), (exchange, "QUIET_S"), (session, "IDENTIFY_INTERVAL_S")):
        monkeypatch.setattr(module, name, 0.01)
    monkeypatch.setattr(session, "ANSWER_TIMEOUT_S", 0.01)
    monkeypatch.setattr(connection, "OBITUARY_S", 0)
    monkeypatch.setattr(run, "CONNECT_TIMEOUT_S", 0.5)
    return Bench(build_dir)


@pytest.fixture
def rewrite(build_dir: Path) -> Rewrite:
    """Replace arrays of golden.npz, and record them as the build's. None removes an array."""

    def apply(**changes: Any) -> None:
        path = build_dir / "bundles" / "fake" / "golden.npz"
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        arrays.update(changes)
        np.savez_compressed(path, **{name: array for name, array in arrays.items() if array is not None})
        record_expectations(build_dir)

    return apply
