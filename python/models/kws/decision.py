# SPDX-License-Identifier: Apache-2.0
"""Finds keywords in the network's scores as `features.toml` describes. This is the reference.

With A = averaged_inferences, and scores z_i (logits) of inference i, whose window ends before
sample t_i:

    p_i = softmax(z_i)
    a_i = (p_i + p_(i-1) + ... + p_(i-A+1)) / A          p is 0 before the first inference
    k_i = the keyword with the highest a_i[k]            "silence" and "unknown" are no keywords

k_i is heard at t_i if a_i[k_i] >= threshold and t_i is at least refractory_samples after the last
keyword heard. Several windows contain a word, some of them only a part of it, so the decision uses
more than one window.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DESCRIPTION = Path(__file__).with_name("features.toml")


@dataclass(frozen=True)
class Decision:
    """The numbers of `features.toml`, under the same names."""

    hop_frames: int
    averaged_inferences: int
    threshold: float
    refractory_samples: int
    not_keywords: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """A keyword, its average probability, and the sample before which its last window ends."""

    keyword: str
    score: float
    sample: int


def load_decision(path: Path = DESCRIPTION) -> Decision:
    """Return the section [decision] of `path`."""
    described = tomllib.loads(path.read_text(encoding="utf-8"))["decision"]
    return Decision(**{**described, "not_keywords": tuple(described["not_keywords"])})


def averages(decision: Decision, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a of the formulas, [inferences, classes], from logits of the same shape."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True).astype(np.float64))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    count = decision.averaged_inferences
    padded = np.concatenate([np.zeros((count - 1, logits.shape[1])), probabilities])
    return np.lib.stride_tricks.sliding_window_view(padded, count, axis=0).mean(axis=-1)


def heard(
    decision: Decision, labels: Sequence[str], averaged: NDArray[np.floating], samples: Sequence[int]
) -> list[Heard]:
    """Return the keywords heard. averaged: a of the formulas. samples: t of the formulas."""
    is_keyword = np.array([label not in decision.not_keywords for label in labels])
    found: list[Heard] = []
    for row, sample in zip(averaged, samples, strict=True):
        best = int(np.argmax(np.where(is_keyword, row, -1.0)))
        rests = bool(found) and sample - found[-1].sample < decision.refractory_samples
        if row[best] >= decision.threshold and not rests:
            found.append(Heard(labels[best], float(row[best]), sample))
    return found
