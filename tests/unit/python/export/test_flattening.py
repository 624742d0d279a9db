# SPDX-License-Identifier: Apache-2.0
"""Between images and a linear layer, the NPU moves no element, and the results stay the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from placing import Place
from torch import nn

from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.rewritings import apply as rewrites
from pilotlight.export.rewritings import flattening
from pilotlight.export.rewritings.apply import rewrite
from pilotlight.model_spec import ModelSpec


class Viewed(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self._shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], *self._shape)


IMAGE, ROW = (1, 3, 8, 8), (1, 3, 16)
TAKEN: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "flatten": (nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(64, 5)), IMAGE),
    "view": (nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), Viewed(64), nn.Linear(64, 5, bias=False)), IMAGE),
    "activation and pool": (
        nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5)),
        IMAGE,
    ),
    "norm": (
        nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Hardswish(), nn.Flatten(), nn.Linear(64, 5)),
        IMAGE,
    ),
    "dropout": (
        nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Dropout(), nn.Linear(64, 5), nn.ReLU()),
        IMAGE,
    ),
    "norm of the linear layer": (
        nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(64, 5), nn.BatchNorm1d(5)),
        IMAGE,
    ),
    "a row": (nn.Sequential(nn.Conv1d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)), ROW),
    "several": (nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(64, 5)), (3, 3, 8, 8)),
}
MADE: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "unflatten": (nn.Sequential(nn.Linear(6, 64), nn.Unflatten(1, (4, 4, 4)), nn.Conv2d(4, 2, 3)), (1, 6)),
    "view after an activation": (
        nn.Sequential(nn.Linear(6, 64), nn.ReLU(), Viewed(4, 4, 4), nn.ConvTranspose2d(4, 2, 2, 2)),
        (1, 6),
    ),
    "without bias": (nn.Sequential(nn.Linear(6, 64, False), Viewed(4, 2, 8), nn.ReLU(), nn.Conv2d(4, 2, 1)), (1, 6)),
    "to a row": (nn.Sequential(nn.Linear(6, 64), Viewed(4, 16), nn.Conv1d(4, 2, 3)), (1, 6)),
}
BOTH = (
    nn.Sequential(
        *(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(64, 64), nn.Unflatten(1, (4, 4, 4))),
        *(nn.ReLU(), nn.Conv2d(4, 2, 1)),
    ),
    IMAGE,
)
FREE: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "no image before": (nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), IMAGE),
    "one pixel": (nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 5)), IMAGE),
    "one channel": (nn.Sequential(nn.Conv2d(3, 1, 3), nn.Flatten(), nn.Linear(36, 5)), IMAGE),
    "a part of the image": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2), nn.Linear(36, 5)), IMAGE),
    "no image after": (nn.Sequential(nn.Linear(6, 64), Viewed(4, 4, 4), nn.ReLU()), (1, 6)),
}
NETWORKS = {**TAKEN, **MADE, "both": BOTH}


def settled(module: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            nn.init.uniform_(norm.running_mean, -1.0, 1.0)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return module.eval()


def rewritten(module: nn.Module, x: torch.Tensor) -> tuple[Any, list[str]]:
    captured = capture(ModelSpec("m", module, (x,), [(x,)]))
    fold_constants(captured.graph)
    return captured.graph, rewrite(captured, [(x,)])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_the_same(name: str) -> None:
    module, shape = NETWORKS[name]
    x = torch.randn(shape)
    graph, said = rewritten(settled(module), x)
    assert any("linear beside images" in line for line in said)
    torch.testing.assert_close(graph(x), module(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FREE)
def test_a_linear_layer_whose_order_does_not_matter_stays(name: str) -> None:
    module, shape = FREE[name]
    _, said = rewritten(settled(module), torch.randn(shape))
    assert not any("linear beside images" in line for line in said)


def moved(attempt: Any) -> int:
    """Return the number of transpositions between other operators of the NPU."""
    (delegate,) = attempt.lowered.delegates
    debug = delegate.compilation.debug()
    kinds = [operator.operator for operator in debug.operators]
    others = [place for place, kind in enumerate(kinds) if kind != "TRANSPOSE"]
    return kinds[others[0] : others[-1]].count("TRANSPOSE")


@pytest.mark.parametrize("alone", [False, True], ids=["rewritten", "upstream alone"])
@pytest.mark.parametrize("name", ["flatten", "a row", "view after an activation", "both"])
def test_the_npu_moves_no_element(
    place_rewritten: Place, name: str, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if alone:
        others = [one for one in rewrites.REWRITINGS if one not in flattening.REWRITINGS]
        monkeypatch.setattr(rewrites, "REWRITINGS", others)
    module, shape = NETWORKS[name]
    attempt, attempts = place_rewritten(settled(module), torch.randn(shape))
    assert attempts.kept == {}
    assert (moved(attempt) > 0) is alone
