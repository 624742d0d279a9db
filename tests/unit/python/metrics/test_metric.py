# SPDX-License-Identifier: Apache-2.0
"""Metrics by name and as functions, and what a user is told when one cannot be computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotlight.errors import ModelError
from pilotlight.metrics import BUILT_IN, Metric, as_metric
from pilotlight.metrics.changes import ChangedSample, changes

SCORES = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
CLASSES = np.array([1, 0, 0])


def share_of_ones(outputs: Any, labels: Any) -> float:
    return float(np.mean(outputs.argmax(axis=1) == np.asarray(labels)))


def broken(outputs: Any, labels: Any) -> float:
    return float(labels["boxes"])


def test_a_metric_is_a_name_a_function_or_both() -> None:
    assert as_metric("AUC") is BUILT_IN["AUC"]
    assert as_metric(share_of_ones).title == "share_of_ones"
    own = Metric(share_of_ones, "my share", higher_is_better=False)
    assert as_metric(own) is own
    assert as_metric(share_of_ones).of((SCORES,), CLASSES, "FP32") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [("miou", "no metric 'miou'", "did you mean 'mIoU'"), (3, "metric is int", "top-1")],
)
def test_an_unknown_metric_is_refused_with_the_nearest_name(given: Any, said: str, hint: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        as_metric(given)
    assert hint in caught.value.hint


def test_a_function_that_raises_is_named_with_its_line_and_whose_outputs_it_got() -> None:
    with pytest.raises(ModelError) as caught:
        as_metric(broken).of((SCORES,), CLASSES, "golden")
    said = str(caught.value)
    assert "metric 'broken' of the golden outputs raised IndexError at" in said
    assert Path(__file__).name in said and 'return float(labels["boxes"])' in said


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "high", np.zeros(3)])
def test_a_function_must_return_a_finite_number(value: Any) -> None:
    with pytest.raises(ModelError, match="not a finite number"):
        Metric(lambda outputs, labels: value, "odd").of((SCORES,), CLASSES, "FP32")


@pytest.mark.parametrize(
    ("name", "output", "labels", "said"),
    [
        ("top-1", SCORES, ["cat", "dog", "cat"], "a class number for each sample, and a label is str"),
        ("top-1", SCORES, np.array([0, 1, 2]), "the label of sample 2 is 2, and there are 2 scores"),
        ("top-1", np.zeros((3, 1)), CLASSES, "a score for each class"),
        ("AUC", SCORES, np.array([1, 1, 1]), "samples of two classes"),
        ("RMSE", SCORES, [[0.0, 1.0], [0.0], [0.0, 1.0]], "label of sample 1 has 1 values, and the output 2"),
        ("RMSE", SCORES, ["a", "b", "c"], "needs numbers, and the label of sample 0 is 'a'"),
        ("correlation", np.zeros((3, 1)), [1.0, 2.0, 3.0], "outputs and labels that vary"),
        ("mIoU", SCORES, [0, 1, 2], "scores .samples, classes, height, width."),
        ("mIoU", np.zeros((1, 2, 2, 2)), [np.zeros((2, 2))], "label of sample 0 is float64"),
        ("mIoU", np.zeros((1, 2, 1, 1)), [np.array([[7]])], "a class that is not among the 2"),
        ("mAP@0.5", SCORES, [[], [], []], "boxes .samples, boxes, 6."),
        ("mAP@0.5", np.zeros((1, 2, 6)), [[[1, 2, 3]]], "label of sample 0 is not a list of boxes"),
        ("mAP@0.5", np.zeros((1, 2, 6)), [[]], "no label holds a box"),
        ("word error rate", SCORES, ["1", "2", "3"], "scores .samples, steps, tokens."),
        ("perplexity", SCORES, [0, 1, 5], "label of sample 2 is .5., and it needs 1 token numbers below 2"),
    ],
)
def test_a_built_in_metric_says_which_label_or_output_it_cannot_use(
    name: str, output: Any, labels: Any, said: str
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        BUILT_IN[name].of((output,), labels, "FP32")
    assert f"metric '{name}' of the FP32 outputs" in str(caught.value)


def test_changed_classes_are_named_with_their_label() -> None:
    other = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    found = changes(BUILT_IN["top-1"], (SCORES,), (other,), CLASSES, ("cat", "dog"))
    assert (found.what, found.samples, found.count) == ("class", 3, 1)
    assert found.worst == (ChangedSample(1, "cat", "dog", "cat"),)
    assert not changes(BUILT_IN["top-1"], (SCORES,), (SCORES,), CLASSES).count


def test_samples_are_ordered_by_the_change_of_their_own_metric() -> None:
    before = np.array([[1.0], [2.0], [3.0]])
    after = np.array([[1.1], [2.0], [5.0]])
    found = changes(BUILT_IN["RMSE"], (before,), (after,), [1.0, 2.0, 3.0])
    assert [changed.sample for changed in found.worst] == [2, 0]
    assert found.worst[0] == ChangedSample(2, "0", "2", "3.0")


def test_samples_are_ordered_by_their_error_if_the_metric_needs_several() -> None:
    before = np.array([[1.0], [2.0], [3.0]])
    found = changes(BUILT_IN["correlation"], (before,), (before + np.array([[0.5], [0.0], [0.1]]),), [1.0, 2.0, 3.5])
    assert found.what == "largest difference of an output"
    assert [changed.sample for changed in found.worst] == [0, 2]
