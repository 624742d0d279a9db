# SPDX-License-Identifier: Apache-2.0
"""One step of a language model of English prose about Python. `train.py` trained its weights."""

from __future__ import annotations

from pathlib import Path

import torch
from network import Decoder, Step
from positions import LAYERS
from samples import Sample, taken
from tokens import Vocabulary, load_vocabulary
from weights import load_weights

from pilotlight.model_spec import ModelSpec, Tied

HERE = Path(__file__).resolve().parent
_TAKEN_STEP = 16
_EXAMPLE = 5
_CHECKED_PARAGRAPHS = 12


def trained() -> Decoder:
    """Return the decoder with the committed weights."""
    decoder = Decoder().eval()
    decoder.load_state_dict({name: torch.from_numpy(matrix) for name, matrix in load_weights().items()})
    return decoder


def vocabulary() -> Vocabulary:
    """Return the committed vocabulary."""
    return load_vocabulary(HERE / "vocabulary.txt")


def paragraphs(name: str) -> list[str]:
    """Return the lines of a committed file: "calibration" or "heldout"."""
    return (HERE / f"{name}.txt").read_text(encoding="ascii").splitlines()


def lm() -> ModelSpec:
    decoder, words = trained(), vocabulary()
    step, embedding = Step(decoder).eval(), decoder.embedding.weight.detach()

    def samples(texts: list[str]) -> list[Sample]:
        return taken(step, embedding, [words.encode(f"\n{text}\n") for text in texts], _TAKEN_STEP)

    calibration = [inputs for inputs, _ in samples(paragraphs("calibration"))]
    first_cache = len(calibration[0]) - 2 * LAYERS
    return ModelSpec(
        name="lm",
        module=step,
        example_inputs=calibration[_EXAMPLE],
        calibration=calibration,
        data_set=samples(paragraphs("heldout")[:_CHECKED_PARAGRAPHS]),
        metric="perplexity",
        # The default's histogram cuts the tails of the residual stream, and loses 1.5 %.
        quantisation="int8:observer=minmax",
        tied=tuple(Tied(1 + index, first_cache + index, axis=2) for index in range(2 * LAYERS)),
    )
