# SPDX-License-Identifier: Apache-2.0
"""What turns a model into one of text: its vocabulary, and the values of its inputs.

A model file that is for text has `text.py` beside it. This module has a function `text_model()`
without arguments that returns a `TextModel`. It does not need PyTorch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pilotlight.errors import ConfigError, PilotlightError
from pilotlight.export.model.model_modules import importable

FILE_NAME = "text.py"


@dataclass(frozen=True)
class TextModel:
    """The text side of a model.

    vocabulary: the bytes of each token, in UTF-8.
    encode: turns text into tokens.
    by_token: input name -> real values [vocabulary, ...], one row for each token: an embedding.
    by_position: input name -> real values [context, ...], one row for each position in the text: a
        mask, rotary factors. All other inputs are tied (`ModelSpec.tied`).
    logits: index of the output with one score for each token.
    """

    vocabulary: tuple[bytes, ...]
    encode: Callable[[str], list[int]]
    by_token: Mapping[str, NDArray[Any]]
    by_position: Mapping[str, NDArray[Any]]
    logits: int = 0

    @property
    def context(self) -> int:
        """The most tokens that a text can have."""
        return min((len(rows) for rows in self.by_position.values()), default=0)


def load_text_model(model_file: Path) -> TextModel:
    """Return the text model beside `model_file`.

    Raises ConfigError if there is none, or if its file raises.
    """
    path = Path(model_file).with_name(FILE_NAME)
    hint = "text generation needs text.py beside the model file, see docs/MODELS.md, 'Text generation'"
    spec = importlib.util.spec_from_file_location(f"pilotlight_text_{path.parent.name}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"{path} does not exist", hint=hint)
    module = importlib.util.module_from_spec(spec)
    try:
        # Another text model may have modules of the same names.
        with importable(path.parent):
            spec.loader.exec_module(module)
            text = module.text_model()
    except PilotlightError:
        raise
    except Exception as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}", hint=hint) from error
    if not isinstance(text, TextModel):
        raise ConfigError(f"{path}: text_model() returned {type(text).__name__}, not a TextModel", hint=hint)
    return text
