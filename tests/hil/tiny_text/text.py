# SPDX-License-Identifier: Apache-2.0
"""The letters as tokens."""

from network import LETTERS, masks, network

from pilotlight.errors import ConfigError
from pilotlight.generate.text_model import TextModel


def encode(text: str) -> list[int]:
    unknown = set(text) - set(LETTERS)
    if unknown:
        raise ConfigError(f"no token for {sorted(unknown)[0]!r}", hint=f"use {LETTERS}")
    return [LETTERS.index(letter) for letter in text]


def text_model() -> TextModel:
    _, letters, places = network()
    return TextModel(
        vocabulary=tuple(letter.encode() for letter in LETTERS),
        encode=encode,
        by_token={"letter": letters.numpy()},
        by_position={"place": places.numpy(), "mask": masks().numpy()},
    )
