# SPDX-License-Identifier: Apache-2.0
"""Bundles with the golden programs of the delegate's tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pilotlight.bundle import ModelInfo, TensorInfo
from pilotlight.paths import ROOT

GOLDEN = ROOT / "tests/unit/firmware/ethos_u/data"

BundleMaker = Callable[..., Path]


@pytest.fixture
def make_bundle(tmp_path: Path) -> BundleMaker:
    def make(name: str = "cnn", program: str = "cnn_u55_128.pte", labels: tuple[str, ...] = ()) -> Path:
        folder = tmp_path / f"bundle_{name}"
        folder.mkdir()
        pte = (GOLDEN / program).read_bytes()
        (folder / "model.pte").write_bytes(pte)
        quantised = "float" not in program
        dtype = "int8" if quantised else "float32"
        ModelInfo(
            name=name,
            source="model.py",
            npu="ethos-u55-128",
            system_config="Ethos_U55_High_End_Embedded",
            memory_mode="Shared_Sram",
            inputs=(TensorInfo("x", dtype, (1, 1, 8, 8), 0.018268657848238945 * quantised, -13 * quantised),),
            outputs=(TensorInfo("y", dtype, (1, 10), 0.0015706495614722371 * quantised, 3 * quantised),),
            labels=labels,
            pte_sha256=hashlib.sha256(pte).hexdigest(),
        ).save(folder)
        return folder

    return make
