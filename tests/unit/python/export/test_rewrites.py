# SPDX-License-Identifier: Apache-2.0
"""A rewriting gives the same bits and is delegated. The rewriting is dropped if the bits would
differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import placing
import pytest
import torch
from placing import Computes
from torch import nn

from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.graph.user_operators import number_of
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.rewritings import apply as rewrites
from pilotlight.export.rewritings.apply import rewrite
from pilotlight.model_spec import ModelSpec

PLANE, ROWS, ROW = (1, 4, 8, 8), (5, 8), (1, 4, 16)
WEIGHTS, BIAS = torch.linspace(-1, 1, 48).reshape(8, 6), torch.linspace(-2, 1, 6)
WHICH = torch.tensor([6, 7, 0, 1, 4])
# These may round differently. All others give the same bits.
ROUND = (
    "a product with weights",
    "an interpolation",
    "a product plus a bias",
    "adaptive_avg_pool1d",
    "avg_pool1d",
    "batch_norm",
)


def grow(x: torch.Tensor, factor: float | None, mode: str, size: tuple[int, int] | None = None) -> torch.Tensor:
    return nn.functional.interpolate(x, size=size, scale_factor=factor, mode=mode)


def settled(norm: Any) -> Any:
    """Return the batch norm with statistics and weights that have an effect."""
    torch.manual_seed(1)
    for tensor, low, high in (
        (norm.running_mean, -1.0, 1.0),
        (norm.running_var, 0.2, 2.0),
        (norm.weight, 0.5, 2.0),
        (norm.bias, -1.0, 1.0),
    ):
        if tensor is not None:
            nn.init.uniform_(tensor, low, high)
    return norm.eval()


CASES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], tuple[int, ...], str]] = {
    "relu6": (lambda x: nn.functional.relu6(x + 3), PLANE, "relu6"),
    "a negation": (lambda x: -(x + 3), PLANE, "a negation"),
    "average of the plane": (lambda x: nn.functional.avg_pool2d(x, 8), PLANE, "avg_pool2d"),
    "averages side by side": (lambda x: nn.functional.avg_pool2d(x, 4), PLANE, "avg_pool2d"),
    "a row's maxima": (lambda x: nn.functional.max_pool1d(x, 3, 2, 1), (1, 4, 16), "max_pool1d"),
    "a channel shuffle": (lambda x: nn.functional.channel_shuffle(x, 2), PLANE, "channel_shuffle"),
    "one of several": (lambda x: x.unbind(1)[2] + x.unbind(-1)[0].sum(), PLANE, "unbind"),
    "a mean of a row": (lambda x: nn.functional.adaptive_avg_pool1d(x, 1), ROW, "adaptive_avg_pool1d"),
    "means of a row": (lambda x: nn.functional.adaptive_avg_pool1d(x, 4), ROW, "adaptive_avg_pool1d"),
    "averages of a row": (lambda x: nn.functional.avg_pool1d(x, 3, 2, 1), ROW, "avg_pool1d"),
    "averages side by side of a row": (lambda x: nn.functional.avg_pool1d(x, 4), ROW, "avg_pool1d"),
    "an average of a row": (lambda x: nn.functional.avg_pool1d(x, 16), ROW, "avg_pool1d"),
    "a maximum of a row": (lambda x: nn.functional.adaptive_max_pool1d(x, 1), ROW, "the adaptive maximum"),
    "a maximum of a plane": (lambda x: nn.functional.adaptive_max_pool2d(x, 1), PLANE, "the adaptive maximum"),
    "a norm of planes": (settled(nn.BatchNorm2d(4)), PLANE, "batch_norm"),
    "a norm of planes without weights": (settled(nn.BatchNorm2d(4, affine=False)), PLANE, "batch_norm"),
    "a norm of rows": (settled(nn.BatchNorm1d(4)), ROW, "batch_norm"),
    "a norm of values": (settled(nn.BatchNorm1d(8)), ROWS, "batch_norm"),
    "a norm after a linear": (nn.Sequential(nn.Linear(8, 6), settled(nn.BatchNorm1d(6))), ROWS, "batch_norm"),
    "a norm after a linear without bias": (
        nn.Sequential(nn.Linear(8, 6, bias=False), settled(nn.BatchNorm1d(6, affine=False))),
        ROWS,
        "batch_norm",
    ),
    "a product with weights": (lambda x: x @ WEIGHTS, ROWS, "a product with weights"),
    "mm with weights": (lambda x: torch.mm(x, WEIGHTS), ROWS, "a product with weights"),
    "addmm": (lambda x: torch.addmm(BIAS, x, WEIGHTS), ROWS, "a product plus a bias"),
    "addmm, scaled": (lambda x: torch.addmm(BIAS, x, WEIGHTS, beta=0.5, alpha=2), ROWS, "a product plus a bias"),
    "addmm, one bias": (lambda x: torch.addmm(BIAS[:1], x, WEIGHTS), ROWS, "a product plus a bias"),
    "addmm of values": (lambda x: torch.addmm(BIAS[:1], x, torch.relu(x).t()), ROWS, "a product plus a bias"),
    "baddbmm of values": (lambda x: torch.baddbmm(BIAS[:1], x, x.mT, alpha=0.5), (2, 3, 4), "a product plus a bias"),
    "a pick by a list": (lambda x: x[:, [0, 2, 3]] + x[:, [3, 3, -4]], PLANE, "a pick by fixed"),
    "a pick by a tensor": (lambda x: x.index_select(-1, WHICH), PLANE, "a pick by fixed"),
    "bilinear, twice": (lambda x: grow(x, 2, "bilinear"), (1, 3, 5, 7), "an interpolation"),
    "bilinear, eight times": (lambda x: grow(x, 8, "bilinear"), (1, 2, 3, 1), "an interpolation"),
    "bilinear, by one and a half": (lambda x: grow(x, 1.5, "bilinear"), (1, 2, 5, 6), "an interpolation"),
    "bilinear to a size": (lambda x: grow(x, None, "bilinear", (7, 4)), (2, 2, 5, 6), "an interpolation"),
    "bilinear, corners aligned": (
        lambda x: nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
        PLANE,
        "an interpolation",
    ),
    "bicubic": (lambda x: grow(x, 2, "bicubic"), PLANE, "an interpolation"),
    "linear in a row": (lambda x: grow(x, 2, "linear"), ROW, "an interpolation"),
    "nearest, three times": (lambda x: grow(x, 3, "nearest"), PLANE, "a repetition"),
    "nearest in a row": (lambda x: grow(x, 2, "nearest"), ROW, "a repetition"),
    "a roll": (lambda x: torch.roll(x, (3, -1), (1, 2)), PLANE, "roll"),
}


def captured(function: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    x = torch.randn(shape)
    return capture(ModelSpec("m", Computes(function).eval(), (x,), [(x,)])), x


def targets(graph: Any) -> list[str]:
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("case", CASES)
def test_the_bits_stay_the_same_and_the_report_names_the_line(case: str) -> None:
    function, shape, name = CASES[case]
    program, x = captured(function, shape)
    fold_constants(program.graph)
    numbers = {
        node.meta["custom"]["pilotlight_operator"] for node in program.graph.graph.nodes if node.meta.get("custom")
    }
    (line,) = rewrite(program, [(x,)])
    assert f"rewrote {name}" in line and (f"{placing.__file__}:" in line or isinstance(function, nn.Module))
    torch.testing.assert_close(program.graph(x), function(x), rtol=0, atol=1e-5 if name in ROUND else 0)
    after = [node for node in program.graph.graph.nodes if node.op == "call_function"]
    assert {number_of(node) for node in after} <= numbers
    assert after[-1].meta["val"].shape == function(x).shape


@pytest.mark.parametrize("arguments", [(4, 4, 1), (3,), (5,)])
def test_an_average_pool_that_the_npu_takes_or_that_has_no_other_form_stays(arguments: tuple[int, ...]) -> None:
    program, x = captured(lambda x: nn.functional.avg_pool2d(x, *arguments), PLANE)
    before = targets(program.graph)
    assert rewrite(program, [(x,)]) == []
    assert targets(program.graph) == before


@pytest.mark.parametrize("pick", [torch.arange(0, 80, 2), torch.tensor([[0, 1], [2, 3]])])
def test_a_pick_of_many_single_rows_or_into_more_dimensions_stays(pick: torch.Tensor) -> None:
    program, x = captured(lambda x: x[:, pick], (1, 80))
    assert rewrite(program, [(x,)]) == []


def test_a_rewriting_with_other_bits_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(rewrites.REWRITINGS[0], into=lambda node: lambda x: torch.ops.aten.hardtanh.default(x, 0.0, 5.0))
    monkeypatch.setattr(rewrites, "REWRITINGS", (wrong,))
    program, x = captured(nn.functional.relu6, PLANE)
    assert rewrite(program, [(x,)])  # No value reaches 5.
    program, x = captured(nn.functional.relu6, PLANE)
    assert rewrite(program, [(x,), (10 * x,)]) == []
    assert "aten.relu6.default" in targets(program.graph)


def test_a_norm_that_upstream_folds_into_its_convolution_is_left_to_it() -> None:
    program, x = captured(nn.Sequential(nn.Conv2d(4, 3, 3), settled(nn.BatchNorm2d(3))), PLANE)
    assert rewrite(program, [(x,)]) == []
    assert "aten.batch_norm.default" in targets(program.graph)


class NormOfLinear(nn.Module):
    """with_bias: of the linear layer. read_twice: something besides the norm reads the layer."""

    def __init__(self, with_bias: bool, read_twice: bool) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(8, 6, bias=with_bias), settled(nn.BatchNorm1d(6))
        self.read_twice = read_twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(x)
        return self.norm(x) + x if self.read_twice else self.norm(x)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("read_twice", [True, False])
def test_a_norm_after_a_linear_becomes_its_weights_unless_the_linear_is_read_twice(
    with_bias: bool, read_twice: bool
) -> None:
    program, x = captured(NormOfLinear(with_bias, read_twice).eval(), ROWS)
    fold_constants(program.graph)
    assert rewrite(program, [(x,)])
    fold_constants(program.graph)
    assert ("aten.mul.Tensor" in targets(program.graph)) is read_twice
    assert "aten.linear.default" in targets(program.graph)
