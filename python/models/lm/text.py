# SPDX-License-Identifier: Apache-2.0
"""Vocabulary and tables of the language model, for `west generate` and for the image."""

from __future__ import annotations

from pathlib import Path

from positions import masks, rotations
from tokens import load_vocabulary
from weights import load_weights

from pilotlight.generate.text_model import TextModel


def text_model() -> TextModel:
    vocabulary = load_vocabulary(Path(__file__).with_name("vocabulary.txt"))
    cosines, sines = rotations()
    return TextModel(
        vocabulary=tuple(text.encode() for text in vocabulary.texts),
        encode=vocabulary.encode,
        by_token={"row": load_weights()["embedding.weight"]},
        by_position={"mask": masks(), "cosine": cosines, "sine": sines},
    )
