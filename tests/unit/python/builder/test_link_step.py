# SPDX-License-Identifier: Apache-2.0
"""The files that the link step writes, and which of them ninja sees change."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from pilotlight.bundle import ModelInfo, TensorInfo
from pilotlight.paths import ROOT

PROGRAM = ROOT / "tests/unit/firmware/ethos_u/data/cnn_u55_128.pte"


def link(bundle: Path, out: Path) -> dict[str, str]:
    step = [sys.executable, "-m", "pilotlight.builder.link_step"]
    options = ["--bundle", str(bundle), "--board", "qemu-corstone300", "--runtime", "ours", "--out", str(out)]
    done = subprocess.run(step + options, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (out / name).read_text(encoding="utf-8") for name in ("linked_models.c", "linked_models.S")}


def test_a_new_descriptor_changes_the_file_that_ninja_knows(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    pte = PROGRAM.read_bytes()
    (bundle / "model.pte").write_bytes(pte)
    info = ModelInfo(
        name="cnn",
        source="model.py",
        npu="ethos-u55-128",
        system_config="Ethos_U55_High_End_Embedded",
        memory_mode="Shared_Sram",
        inputs=(TensorInfo("x", "int8", (1, 1, 8, 8), 0.018268657848238945, -13),),
        outputs=(TensorInfo("y", "int8", (1, 10), 0.0015706495614722371, 3),),
        labels=(),
        pte_sha256=hashlib.sha256(pte).hexdigest(),
    )
    info.save(bundle)
    before = link(bundle, tmp_path / "out")
    assert link(bundle, tmp_path / "out") == before

    # A calibration on other samples changes the scale, but not the names.
    record = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    record["outputs"][0]["scale"] *= 2
    (bundle / "model.json").write_text(json.dumps(record), encoding="utf-8")
    after = link(bundle, tmp_path / "out")
    assert after["linked_models.c"] != before["linked_models.c"]
    assert after["linked_models.S"] == before["linked_models.S"]
