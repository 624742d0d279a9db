# SPDX-License-Identifier: Apache-2.0
"""Networks of the zoo on the emulated board, by the commands that users type."""

from __future__ import annotations

import pytest
from workflow import ROOT, Bench, build

MODELS = ROOT / "tests" / "zoo" / "models"
# Temporal convolutions, a plain CNN, linear layers, embeddings with CPU operators, a transformer
# block, GPT-2.
NAMES = ("tcn", "ecg_cnn", "autoencoder", "dlrm", "conformer", "tiny_gpt2")


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_the_zoo_is_bit_identical_on_the_board(name: str) -> None:
    if name == "tiny_gpt2":
        pytest.importorskip("transformers", reason="scripts/setup.sh --campaign installs it")
    folder = build(f"zoo-{name}", "-b", "qemu-corstone300", "-m", MODELS / f"{name}.py")
    report = Bench(folder).passes()
    (model,) = report["models"]
    assert report["verdict"] == "pass"
    assert model["identical_samples"] == model["samples"] > 0
