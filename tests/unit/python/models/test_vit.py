# SPDX-License-Identifier: Apache-2.0
"""The vision transformer has its README's accuracy, and keeps it as one delegate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pilotlight.export import export_model
from pilotlight.export.model.model_file import load_model
from pilotlight.export.preload import one_thread
from pilotlight.export_options import ExportOptions
from pilotlight.paths import MODELS

README_CORRECT = 355


def test_held_out_accuracy_is_the_readmes() -> None:
    spec = load_model(MODELS / "vit" / "model.py")
    with one_thread(), torch.no_grad():
        scores = spec.module(torch.cat([x for (x,) in spec.data_set])).numpy()
    correct = int((scores.argmax(1) == spec.data_set.labels).sum())
    # The last bits of a sum may decide about a scan on another CPU.
    assert abs(correct - README_CORRECT) <= 1
    stated = f"| FP32 | {README_CORRECT} ({README_CORRECT / len(scores):.2%}) |".replace("%)", " %)")
    assert stated in (MODELS / "vit" / "README.md").read_text(encoding="utf-8")


def test_training_and_held_out_scans_are_those_of_the_digits_network() -> None:
    vit, digits = (load_model(MODELS / name / "model.py") for name in ("vit", "digits"))
    for mine, theirs in zip(vit.data_set, digits.data_set, strict=True):
        assert torch.equal(mine[0], theirs[0])
    assert np.array_equal(vit.data_set.labels, digits.data_set.labels)


@pytest.mark.campaign
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u85-256"])
def test_one_delegate_loses_at_most_a_point(npu: str, tmp_path: Path) -> None:
    report = export_model("vit", ExportOptions(npu, require_full_delegation=True), tmp_path / "bundle")
    assert len(report.delegates) == 1
    assert report.metric is not None
    assert report.metric.golden >= report.metric.fp32 - 0.01
