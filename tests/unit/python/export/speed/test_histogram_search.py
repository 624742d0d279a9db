# SPDX-License-Identifier: Apache-2.0
"""The search finds the range that torchao's own loop finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torchao.quantization.pt2e.observer import HistogramObserver

from pilotlight.export.upstream.speed.histogram_search import quick_histogram_search


def uneven() -> torch.Tensor:
    return torch.cat([torch.randn(5000), torch.tensor([50.0, -3.0, 49.0])])


VALUES: dict[str, Callable[[], torch.Tensor]] = {
    "normal": lambda: torch.randn(20_000),
    "one": lambda: torch.randn(1),
    "few": lambda: torch.randn(7),
    "uniform": lambda: torch.rand(3000),
    "positive": lambda: torch.randn(5000).relu(),
    "outliers": uneven,
    "outliers at both ends": lambda: torch.cat([uneven(), -2 * uneven()]),
    "heavy tails": lambda: torch.randn(5000) / torch.randn(5000),
    "two values": lambda: torch.tensor([0.0, 1.0]).repeat(500),
    "one value": lambda: torch.full((100,), 3.0),
    "zeros": lambda: torch.zeros(100),
    "many": lambda: torch.randn(2_000_000).exp(),
    "tiny": lambda: torch.randn(1000) * 1e-30,
    "large": lambda: torch.randn(1000) * 1e30,
    "mostly zero": lambda: torch.where(torch.rand(20_000) < 0.999, torch.zeros(()), torch.randn(20_000)),
}


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("name", VALUES)
def test_the_range_is_that_of_torchao(name: str, samples: int) -> None:
    torch.manual_seed(samples)
    observer = HistogramObserver(dtype=torch.int8, qscheme=torch.per_tensor_affine)
    for scale in range(samples):
        observer((1 + scale) * VALUES[name]())
    expected = observer._non_linear_param_search()
    with quick_histogram_search():
        found = observer._non_linear_param_search()
    assert [value.item() for value in found] == [value.item() for value in expected]


@pytest.mark.parametrize("seed", range(40))
def test_the_range_of_any_histogram_is_that_of_torchao(seed: int) -> None:
    torch.manual_seed(seed)
    observer = HistogramObserver(bins=64, dtype=torch.int8, qscheme=torch.per_tensor_affine)
    observer(torch.randn(100))
    observer.histogram.copy_((torch.rand(64) * 10 ** (4 * torch.rand(64) ** 2) * (torch.rand(64) < 0.5)).round())
    expected = observer._non_linear_param_search()
    with quick_histogram_search():
        found = observer._non_linear_param_search()
    assert [value.item() for value in found] == [value.item() for value in expected]


def test_a_histogram_with_nan_is_left_to_torchao() -> None:
    observer = HistogramObserver(bins=64, dtype=torch.int8, qscheme=torch.per_tensor_affine)
    observer(torch.randn(100))
    observer.histogram[5] = float("nan")
    expected = observer._non_linear_param_search()
    with quick_histogram_search():
        assert str(observer._non_linear_param_search()) == str(expected)
