# SPDX-License-Identifier: Apache-2.0
"""Metrics of speech and language."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotlight.errors import ModelError
from pilotlight.metrics.labels import Array, first


def word_error_rate(outputs: Any, labels: Any) -> float:
    """Return the word error rate: wrong, missing and added tokens per token of the labels.

    outputs: CTC scores [samples, steps, tokens], where token 0 is the blank. Of each step the best
        token is taken; repeats and blanks are removed.
    labels: for each sample its token numbers, or its text with the numbers between blanks. A word
        is a token.
    """
    from jiwer import wer

    scores = first(outputs)
    if scores.ndim != 3:
        raise ModelError(f"it needs scores [samples, steps, tokens], and the output is {scores.shape}")
    wanted = [_tokens(sample, label) for sample, label in enumerate(labels)]
    said = [" ".join(map(str, greedy_ctc(sample))) for sample in scores]
    if not any(wanted):
        raise ModelError("no label has a token")
    return float(wer(wanted, said)) if all(wanted) else _with_empty(wanted, said)


def greedy_ctc(scores: Array) -> list[int]:
    """Return the tokens of one sample. scores: [steps, tokens]. Token 0 is the blank.

    >>> greedy_ctc(np.eye(3)[[1, 1, 0, 1, 2, 2]])
    [1, 1, 2]
    """
    best = scores.argmax(axis=1)
    starts = np.concatenate(([True], best[1:] != best[:-1]))
    return [int(token) for token in best[starts] if token]


def perplexity(outputs: Any, labels: Any) -> float:
    """Return the perplexity: e to the mean negative log probability of the right tokens.

    outputs: logits [samples, tokens], or [samples, steps, tokens] with the tokens last. A softmax
        of them gives the probabilities.
    labels: the right token of each sample, or of each step. A negative token does not count.

    >>> round(perplexity(np.zeros((3, 4)), [0, 1, 2]), 6)
    4.0
    """
    logits = first(outputs).astype(np.float64)
    tokens = logits.shape[-1]
    rows = logits.reshape(len(logits), -1, tokens)
    total, count = 0.0, 0
    for sample, (row, label) in enumerate(zip(rows, labels, strict=True)):
        wanted = np.asarray(label).reshape(-1)
        if len(wanted) != len(row) or not np.issubdtype(wanted.dtype, np.integer) or wanted.max() >= tokens:
            raise ModelError(
                f"the label of sample {sample} is {wanted.tolist()!s:.40}, and it needs {len(row)} token numbers below "
                f"{tokens}"
            )
        counted = wanted >= 0
        shifted = row - row.max(axis=1, keepdims=True)
        log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        total -= float(log_probability[counted, wanted[counted]].sum())
        count += int(counted.sum())
    if not count:
        raise ModelError("no label has a token that counts")
    return float(np.exp(total / count))


def _tokens(sample: int, label: Any) -> str:
    if isinstance(label, str):
        return " ".join(label.split())
    array = np.asarray(label).reshape(-1)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"the label of sample {sample} is {label!r:.40}, not a list of token numbers or a text")
    return " ".join(map(str, array.tolist()))


def _with_empty(wanted: list[str], said: list[str]) -> float:
    """Return the error rate if some samples are silent. jiwer takes no empty reference."""
    from jiwer import process_words

    added = sum(len(text.split()) for text, label in zip(said, wanted, strict=True) if not label)
    spoken = [(label, text) for label, text in zip(wanted, said, strict=True) if label]
    found = process_words([label for label, _ in spoken], [text for _, text in spoken])
    wrong = found.substitutions + found.deletions + found.insertions + added
    return float(wrong / sum(len(label.split()) for label, _ in spoken))
