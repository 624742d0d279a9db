# SPDX-License-Identifier: Apache-2.0
"""Samples in the forms that people have, and what is said of samples that do not fit."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from pilotlight.errors import ModelError
from pilotlight.export.model.held_out import HeldOut
from pilotlight.export.model.samples import Samples, Shapes, demand_finite
from pilotlight.model_spec import LabelledData

X = torch.arange(24.0).reshape(6, 4)
POSITION = torch.arange(6)
ONE = Shapes((torch.zeros(1, 4),), ("x",))
TWO = Shapes((torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64)), ("x", "position"))


def values(samples: Any) -> list[tuple[Any, ...]]:
    return [tuple(value.tolist() for value in sample) for sample in samples]


class Indexed:
    """A map-style data set without iteration."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return X[index], index % 2


@pytest.mark.parametrize(
    "source",
    [
        X,
        X.numpy(),
        X.numpy().astype(np.float64),
        list(X),
        [(x[None],) for x in X],
        X.tolist(),
        [{"x": x} for x in X],
        {"x": X},
        [X[:4], X[4:]],
        lambda: iter(X),
        lambda: [(x, 1) for x in X],
        TensorDataset(X, POSITION),
        DataLoader(TensorDataset(X, POSITION), batch_size=4),
        Indexed(),
    ],
)
def test_every_form_of_one_input_gives_the_same_samples(source: Any) -> None:
    samples = Samples("calibration", source, ONE)
    assert values(samples) == [([x.tolist()],) for x in X]
    # The samples can be read again.
    assert values(samples.first(2)) == [([x.tolist()],) for x in X[:2]]
    assert samples.count() == 6


@pytest.mark.parametrize(
    "source",
    [
        (X, POSITION),
        {"position": POSITION, "x": X},
        [(x, p) for x, p in zip(X, POSITION, strict=True)],
        [{"x": x[None], "position": p} for x, p in zip(X, POSITION, strict=True)],
        [((x, p), "a label") for x, p in zip(X, POSITION, strict=True)],
        [(X[:4], POSITION[:4]), (X[4:], POSITION[4:])],
        DataLoader(TensorDataset(X, POSITION), batch_size=3),
        [((X, POSITION.numpy().astype(np.int32)), torch.zeros(6))],
    ],
)
def test_every_form_of_two_inputs_gives_the_same_samples(source: Any) -> None:
    expected = [([x.tolist()], [int(p)]) for x, p in zip(X, POSITION, strict=True)]
    assert values(Samples("calibration", source, TWO)) == expected


@pytest.mark.parametrize(
    ("shapes", "source", "said", "hint"),
    [
        (ONE, iter(X), "can be read only once", "give the function"),
        (ONE, 3, "int holds no samples", "arrays"),
        (ONE, lambda: 3, "the function returned int", ""),
        (ONE, [X[0], X[1, :3]], r"sample 1: input 'x' has the shape \(3,\), and the model takes \(1, 4\)", "batch"),
        (ONE, [X[:2], X[:2, :3]], r"sample 2: input 'x' has the shape \(2, 3\)", "batch"),
        (ONE, [{"y": X[0]}], "sample 0: forward has no input 'y'", "it takes x"),
        (ONE, ["text"], "input 'x' is str, not an array", ""),
        (TWO, [{"x": X[0], "positions": 0}], "no input 'positions'", "did you mean 'position'"),
        (TWO, [{"x": X[0]}], "input 'position' is missing", "forward takes x, position"),
        (TWO, [X[0]], "has 1 input, and forward takes 2: x, position", "a label comes after it"),
        (TWO, [(X[0], 1.5)], "input 'position' is float64, and the model takes int64", ""),
        (TWO, (X, POSITION[:5]), "different numbers of samples: x 6, position 5", ""),
    ],
)
def test_a_sample_that_does_not_fit_is_named(shapes: Shapes, source: Any, said: str, hint: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        Samples("calibration", source, shapes).count()
    assert hint in (caught.value.hint or "")


def test_nan_in_calibration_is_named_with_sample_and_input() -> None:
    bad = X.clone()
    bad[4, 1] = torch.nan
    with pytest.raises(ModelError, match="calibration, sample 4: input 'x' has 1 NaN"):
        demand_finite(Samples("calibration", (bad, POSITION), TWO))


class Made:
    """A function that yields, and counts the samples that somebody still holds."""

    def __init__(self) -> None:
        self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self.most = 0

    def __call__(self) -> Iterator[Any]:
        for number in range(200):
            x = torch.full((1, 4), float(number))
            self.alive.add(x)
            self.most = max(self.most, len(self.alive))
            yield x, number % 3


def test_samples_of_a_function_are_held_one_at_a_time() -> None:
    made = Made()
    held_out = HeldOut(made, ONE)
    assert held_out.labels.tolist() == [number % 3 for number in range(200)]
    demand_finite(Samples("calibration", made, ONE))
    assert sum(float(x[0, 0]) for (x,) in held_out) == 199 * 100
    assert made.most <= 3


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        (LabelledData(X, [0, 1, 0, 1, 0, 1]), [0, 1, 0, 1, 0, 1]),
        (TensorDataset(X, POSITION), [0, 1, 2, 3, 4, 5]),
        (DataLoader(TensorDataset(X, POSITION), batch_size=4), [0, 1, 2, 3, 4, 5]),
        (LabelledData(X, torch.ones(6, 1, 2)), None),
        (LabelledData(X, ["a", "b", "c", "d", "e", "f"]), ["a", "b", "c", "d", "e", "f"]),
        (LabelledData(X, [0.5] * 6), [0.5] * 6),
    ],
)
def test_labels_are_classes_or_a_list(given: Any, labels: Any) -> None:
    found = HeldOut(given, ONE).labels
    if labels is None:
        assert len(found) == 6 and all(np.array_equal(label, np.ones((1, 2))) for label in found)
    else:
        assert list(found) == labels
        assert isinstance(found, np.ndarray) == isinstance(labels[0], int)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (LabelledData(X, [1] * 5), "has 5 labels for 6 samples"),
        (LabelledData(X, [1] * 7), "has 7 labels for 6 samples"),
        ([(X[:4], [1, 2])], "a batch of 4 samples has 2 labels"),
        ([(X[:4], 7)], "a batch of 4 samples has no labels"),
        ([(X[0], 1), (X[1],)], "sample 1: has no label, and others have one"),
        ([], "has no samples"),
    ],
)
def test_labels_that_do_not_fit_are_counted(given: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        HeldOut(given, ONE)


def test_names_are_those_of_forward() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
            return x + position

    examples = (torch.zeros(1, 4), torch.zeros(1))
    assert Shapes.of(Net(), examples).names == ("x", "position")
    assert Shapes.of(torch.export.export(Net(), examples), examples).names == ("x", "position")
