# SPDX-License-Identifier: Apache-2.0
"""log_softmax, and softmax of masked scores.

The results of the rewritten model in quantised PyTorch are compared with the float model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from pilotlight.export.lowering.lower import compile_spec_for
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.quantising.quantise import capture, quantise
from pilotlight.export.report.accuracy import sqnr_db
from pilotlight.export.rewritings.softmax import rewrite_softmax
from pilotlight.model_spec import ModelSpec

SIZE = 12
LOWEST = torch.finfo(torch.float32).min
attention = nn.functional.scaled_dot_product_attention


class Net(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self._function = function
        for name, value in (("huge", -1e9), ("infinite", -math.inf), ("lowest", LOWEST), ("small", -100.0)):
            self.register_buffer(name, torch.full((SIZE, SIZE), value).triu(1))
        self.register_buffer("rows", torch.cat([torch.full((6, SIZE), -1e9).triu(1), torch.full((6, SIZE), -1e4)]))
        self.register_buffer("bias", -0.3 * torch.arange(SIZE).sub(torch.arange(SIZE)[:, None]).abs())
        self.attention = nn.MultiheadAttention(SIZE, 2, batch_first=True)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self._function(self, *inputs)


def triangle() -> torch.Tensor:
    return torch.tril(torch.ones(SIZE, SIZE))


def padding(given: torch.Tensor) -> torch.Tensor:
    return (1.0 - given)[:, None, None]


MASKED: dict[str, Callable[..., torch.Tensor]] = {
    "-1e9 added": lambda net, x: (x + net.huge).softmax(-1),
    "-inf added": lambda net, x: (net.infinite + x).softmax(-1),
    "finfo.min added": lambda net, x: (x + net.lowest).softmax(-1),
    "-100 added": lambda net, x: (x + net.small).softmax(-1),
    "filled, then scaled": lambda net, x: (x.masked_fill(triangle() == 0, -1e9) / 4).softmax(-1),
    "filled, then multiplied": lambda net, x: (x.masked_fill(triangle() == 0, -1e9) * 0.25).softmax(-1),
    "chosen": lambda net, x: torch.where(net.huge < 0, LOWEST, x).softmax(-1),
    "subtracted": lambda net, x: (x * triangle() - 1e4 * (1 - triangle())).softmax(-1),
    "with a bias": lambda net, x: (x + (net.bias + net.huge)).softmax(-1),
    "in views, with a lower bound": lambda net, x: (
        torch.max(x.view(1, 2, SIZE, SIZE) + net.lowest, torch.tensor(LOWEST)).view(2, SIZE, SIZE).softmax(-1)
    ),
    "attention": lambda net, x: attention(x * 0.7, x * 0.7, x, attn_mask=net.huge),
    "MultiheadAttention": lambda net, x: net.attention(x[:, 0], x[:, 0], x[:, 0], attn_mask=net.huge)[0],
    "whole rows": lambda net, x: (x + net.rows).softmax(-1),
    "an input": lambda net, x, given: (x + padding(given) * LOWEST).softmax(-1),
    "a constant and an input": lambda net, x, given: (x + net.huge + padding(given) * -1e9).softmax(-1),
    "a condition on an input": lambda net, x, given: x.masked_fill(padding(given) != 0, -math.inf).softmax(-1),
}
LOGARITHMS: dict[str, Callable[..., torch.Tensor]] = {
    "log_softmax": lambda net, x: x.log_softmax(1),
    "LogSoftmax": lambda net, x: nn.LogSoftmax(dim=-1)(x),
    "log of softmax": lambda net, x: x.softmax(-1).log(),
}


def spec_of(function: Callable[..., torch.Tensor]) -> ModelSpec:
    torch.manual_seed(0)
    samples = []
    for index in range(8):
        x, given = torch.randn(1, 2, SIZE, SIZE) * 3, torch.ones(1, SIZE)
        given[:, 4 + index :] = 0
        samples.append((x, given) if function.__code__.co_argcount == 3 else (x,))
    return ModelSpec("m", Net(function).eval(), samples[0], samples)


def accuracy(spec: ModelSpec) -> tuple[float, list[str], Any]:
    """Return the SQNR, the messages and the graph of the quantised model.

    The SQNR is against the float model, and the graph is the rewritten one.
    """
    with torch.no_grad():
        expected = [spec.module(*sample) for sample in spec.calibration]
        captured = capture(spec)
        said = rewrite_softmax(captured, spec.calibration)
        got = [quantised(*sample) for quantised in (_quantised(captured, spec),) for sample in spec.calibration]
    ratio = sqnr_db(torch.cat(expected).numpy(), torch.cat(got).numpy())
    assert ratio is not None
    return ratio, said, captured.graph


def _quantised(captured: Any, spec: ModelSpec) -> Any:
    return quantise(captured, spec, compile_spec_for(resolve("ethos-u55-128", None, None))).module


@pytest.mark.parametrize("case", MASKED)
def test_softmax_of_masked_scores_is_as_accurate_as_without_a_mask(case: str) -> None:
    ratio, (said,), graph = accuracy(spec_of(MASKED[case]))
    assert ratio > 27, "without the rewriting it is 0 to 25 dB"
    assert said.startswith("rewrote the mask before a softmax") and f"{__file__}:" in said
    masks = ("huge", "infinite", "lowest", "small", "rows")
    assert not [node for node in graph.graph.nodes if node.op == "get_attr" and node.users and node.target in masks]


@pytest.mark.parametrize("case", LOGARITHMS)
def test_the_logarithm_of_a_softmax_is_accurate(case: str) -> None:
    ratio, (said,), graph = accuracy(spec_of(LOGARITHMS[case]))
    assert ratio > 36, "without the rewriting it is 0 to 5 dB"
    assert said.startswith("rewrote log_softmax") and f"{__file__}:" in said
    assert not [node for node in graph.graph.nodes if "softmax" in str(node.target)]


@pytest.mark.parametrize("function", [lambda net, x: x.softmax(-1), lambda net, x: (x + net.bias).softmax(-1)])
def test_a_softmax_without_a_mask_stays(function: Callable[..., torch.Tensor]) -> None:
    spec = spec_of(function)
    captured = capture(spec)
    before = [str(node.target) for node in captured.graph.graph.nodes]
    assert rewrite_softmax(captured, spec.calibration) == []
    assert [str(node.target) for node in captured.graph.graph.nodes] == before


@pytest.mark.parametrize("value", [-1e9, -100.0])
def test_a_sample_that_is_masked_completely_does_not_count_for_the_range(value: float) -> None:
    spec = spec_of(lambda net, x, given: (x + padding(given) * value).softmax(-1))
    nothing = (spec.calibration[0][0], torch.zeros(1, SIZE))
    ratio, (said,), _ = accuracy(replace(spec, calibration=[nothing, *spec.calibration]))
    assert said.startswith("rewrote the mask") and ratio > 27


def test_what_does_not_come_out_right_is_left_and_said() -> None:
    """A mask given as an input must be either 0 or low.

    Between these values, the two forms compute different results.
    """
    spec = spec_of(lambda net, x, given: (x + padding(given) * -1e9 + padding(given * 0.9) * -1e-1).softmax(-1))
    between = torch.linspace(0, 1, SIZE)[None]
    spec = replace(spec, calibration=[*spec.calibration, *((x, between) for x, _ in spec.calibration)])
    captured = capture(spec)
    before = [str(node.target) for node in captured.graph.graph.nodes]
    (said,) = rewrite_softmax(captured, spec.calibration)
    assert said.startswith("did not rewrite softmax") and f"{__file__}:" in said
    assert [str(node.target) for node in captured.graph.graph.nodes] == before
