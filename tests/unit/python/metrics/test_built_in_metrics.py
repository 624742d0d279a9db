# SPDX-License-Identifier: Apache-2.0
"""The built-in metrics against scikit-learn, PyTorch, jiwer and examples worked out by hand."""

from __future__ import annotations

from typing import Any

import jiwer
import numpy as np
import pytest
import torch
from sklearn import metrics as published

from pilotlight.metrics import BUILT_IN
from pilotlight.metrics.sequences import greedy_ctc

random = np.random.default_rng(5)


def of(name: str, output: Any, labels: Any) -> float:
    return BUILT_IN[name].of((np.asarray(output),), labels, "test")


def test_top_1_and_top_5_are_scikit_learns() -> None:
    scores, labels = random.normal(size=(200, 12)), random.integers(0, 12, 200)
    for name, k in (("top-1", 1), ("top-5", 5)):
        expected = published.top_k_accuracy_score(labels, scores, k=k, labels=range(12))
        assert of(name, scores, labels) == pytest.approx(expected)


def test_auc_of_one_or_two_scores_is_scikit_learns() -> None:
    scores, labels = random.normal(size=(80, 1)), random.integers(0, 2, 80)
    expected = published.roc_auc_score(labels, scores[:, 0])
    assert of("AUC", scores, labels) == pytest.approx(expected)
    assert of("AUC", np.hstack([-scores, scores]), labels) == pytest.approx(expected)


def test_auc_of_several_classes_is_the_mean_of_one_against_the_others() -> None:
    scores, labels = random.normal(size=(90, 3)), random.integers(0, 3, 90)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = published.roc_auc_score(labels, softmax, multi_class="ovr")
    assert of("AUC", softmax, labels) == pytest.approx(expected)


def test_rmse_and_correlation_are_the_published_ones() -> None:
    output, labels = random.normal(size=(30, 2)), random.normal(size=(30, 2))
    assert of("RMSE", output, list(labels)) == pytest.approx(
        published.root_mean_squared_error(labels.ravel(), output.ravel())
    )
    assert of("correlation", output, list(labels)) == pytest.approx(np.corrcoef(output.ravel(), labels.ravel())[0, 1])


def test_mean_iou_is_scikit_learns_jaccard_score_without_ignored_pixels() -> None:
    scores, labels = random.normal(size=(4, 3, 5, 6)), random.integers(0, 3, (4, 5, 6))
    labels[0, :2] = 255
    counted = labels != 255
    expected = published.jaccard_score(labels[counted], scores.argmax(axis=1)[counted], average="macro")
    assert of("mIoU", scores, list(labels)) == pytest.approx(expected)
    # One channel: above 0 is class 1.
    mask = (random.random((4, 5, 6)) > 0.5).astype(int)
    expected = published.jaccard_score(mask.ravel(), (scores[:, 0] > 0).ravel(), average="macro")
    assert of("mIoU", scores[:, :1], list(mask)) == pytest.approx(expected)


def test_perplexity_is_e_to_pytorchs_cross_entropy() -> None:
    logits, labels = random.normal(size=(20, 7)), random.integers(0, 7, 20)
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)).exp().item()
    assert of("perplexity", logits, labels) == pytest.approx(expected)
    steps, rows = logits.reshape(4, 5, 7), labels.reshape(4, 5).copy()
    rows[0, 0] = -100
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(rows.reshape(-1))).exp().item()
    assert of("perplexity", steps, list(rows)) == pytest.approx(expected)


def test_word_error_rate_is_jiwers_of_the_decoded_tokens() -> None:
    scores = random.normal(size=(6, 12, 5))
    labels = [random.integers(1, 5, size=4).tolist() for _ in range(6)]
    said = [" ".join(map(str, greedy_ctc(sample))) for sample in scores]
    expected = jiwer.wer([" ".join(map(str, label)) for label in labels], said)
    assert of("word error rate", scores, labels) == pytest.approx(expected)
    assert of("word error rate", scores, [" ".join(map(str, label)) for label in labels]) == pytest.approx(expected)


def test_tokens_said_in_silence_count_as_added() -> None:
    one, two = np.eye(3)[[1, 0, 2]], np.eye(3)[[0, 1, 0]]
    # "1 2" is right, and of the silent sample one token was said: one error in two tokens.
    assert of("word error rate", np.stack([one, two]), [[1, 2], []]) == 0.5


def boxes(*rows: tuple[float, ...]) -> np.ndarray[Any, Any]:
    padded = [*rows, *[(0.0,) * 6] * (4 - len(rows))]
    return np.array(padded)


def test_average_precision_of_an_example_worked_out_by_hand() -> None:
    # Class 0: two true boxes. Found in order of score: right, wrong, right. Precision 1, 1/2, 2/3
    # at recall 1/2, 1/2, 1; made to fall: 1, 2/3, 2/3. Area: 0.5 * 1 + 0.5 * 2/3 = 5/6.
    first = boxes((0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.8, 0))
    second = boxes((1, 0, 11, 10, 0.7, 0))
    labels = [[(0, 0, 10, 10, 0)], [(0, 0, 10, 10, 0)]]
    assert of("mAP@0.5", np.stack([first, second]), labels) == pytest.approx(5 / 6)
    # A second class that is never found has a precision of 0.
    labels[1].append((20, 20, 30, 30, 1))
    assert of("mAP@0.5", np.stack([first, second]), labels) == pytest.approx(5 / 12)


@pytest.mark.parametrize(("shift", "expected"), [(3, 1.0), (4, 0.0)])
def test_a_box_is_found_if_half_of_the_union_overlaps(shift: int, expected: float) -> None:
    # Of boxes 10 wide, a shift of 3 overlaps 7/13, and a shift of 4 overlaps 6/14.
    found = boxes((shift, 0, shift + 10, 10, 0.5, 2))
    assert of("mAP@0.5", found[None], [[(0, 0, 10, 10, 2)]]) == expected


def test_a_true_box_is_found_once() -> None:
    found = boxes((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.8, 0))
    both = [[(0, 0, 10, 10, 0), (100, 100, 110, 110, 0)]]
    assert of("mAP@0.5", found[None], both) == pytest.approx(0.5)
