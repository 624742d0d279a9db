# SPDX-License-Identifier: Apache-2.0
"""The language model on NPUs: one delegate, little perplexity lost, and equal text in all loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotlight.bundle import load_model_info
from pilotlight.export import export_model
from pilotlight.export.golden_engine import golden_engine
from pilotlight.export.model.model_modules import importable
from pilotlight.export_options import ExportOptions
from pilotlight.generate.reference import generate, simulator_engine
from pilotlight.generate.sampler import Sampler, weights_for
from pilotlight.generate.tables import make_tables
from pilotlight.generate.text_model import load_text_model
from pilotlight.paths import MODELS

pytestmark = pytest.mark.campaign

LM = MODELS / "lm"
PARAGRAPHS = 12
_SAMPLE = 3


@pytest.mark.parametrize(
    ("npu", "recipe", "most_percent"),
    [
        ("ethos-u55-128", None, 1.0),
        ("ethos-u85-256", None, 1.0),
        ("ethos-u85-256", "a16w8", 0.3),
    ],
)
def test_the_step_is_one_delegate_that_is_hardly_more_perplexed(
    npu: str, recipe: str | None, most_percent: float
) -> None:
    with importable(LM):
        import measure
        import model
        import perplexity

        words, embedding = model.vocabulary(), model.trained().embedding.weight.detach()
        texts = model.paragraphs("heldout")[:PARAGRAPHS]

        def perplexed(step: object) -> float:
            return float(perplexity.stepwise_perplexity(step, embedding, texts, words))

        with measure.compiled(npu, recipe) as compiled:
            assert (compiled.delegates, list(compiled.on_cpu)) == (1, [])
            assert perplexed(compiled.golden) <= perplexed(compiled.float32) * (1 + most_percent / 100)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lm") / "bundle"
    export_model("lm", ExportOptions("ethos-u55-128", require_full_delegation=True), out)
    return out


def test_64_tokens_greedy_and_drawn_are_equal_in_reference_and_simulator(bundle: Path) -> None:
    info = load_model_info(bundle)
    text = load_text_model(LM / "model.py")
    tables = make_tables(text, info)
    weights = weights_for(info.outputs[tables.logits].scale, 0.8)
    simulator = simulator_engine((bundle / "model.pte").read_bytes())
    with golden_engine(bundle) as golden:
        for arguments in ((), (weights, 40, 7)):
            reference, simulated = (
                list(generate(engine, info, tables, Sampler(*arguments), text.encode("The "), 64))
                for engine in (golden, simulator)
            )
            assert reference == simulated and len(reference) == 64


def test_what_an_empty_slot_holds_changes_no_bit_on_the_npu(bundle: Path) -> None:
    info = load_model_info(bundle)
    simulator = simulator_engine((bundle / "model.pte").read_bytes())
    with np.load(bundle / "golden.npz") as arrays:
        inputs = [arrays[f"input_{i}"][_SAMPLE].reshape(tensor.shape) for i, tensor in enumerate(info.inputs)]
    caches = {tie.input for tie in info.ties}
    (mask,) = (i for i, tensor in enumerate(info.inputs) if tensor.name == "mask")
    empty = np.flatnonzero(inputs[mask][0] == inputs[mask].min())
    assert len(empty)
    filled = [array.copy() for array in inputs]
    random = np.random.default_rng(2)
    for index in caches:
        filled[index][:, :, empty] = random.choice([-128, 127], filled[index][:, :, empty].shape)
    for before, after in zip(simulator(inputs), simulator(filled), strict=True):
        assert np.array_equal(before, after)
