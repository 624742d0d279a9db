# SPDX-License-Identifier: Apache-2.0
"""After an operator with a constant first operand, values are in the right order.

Upstream's own wrong order is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from placing import Place
from torch import nn

from pilotlight.export.upstream import vela

EQUAL, DIFFERENT = (8, 8, 8), (4, 8, 6)
FUNCTIONS = {
    "from a constant": lambda x: 0.25 - x,
    "divided by": lambda x: 1.0 / (x.abs() + 2.0),
    "a chain": lambda x: 0.25 - 2.0 * (0.5 - x),
}


class BehindAPool(nn.Module):
    """The pool works in NHWC, and the concatenation needs NCHW."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], *, flat: bool) -> None:
        super().__init__()
        self._function, self._flat = function, flat

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([self._function(nn.functional.max_pool2d(x, 3, 1, 1)), x], 1)
        return y.flatten(1) if self._flat else y


@pytest.mark.parametrize("flat", [False, True], ids=["an image", "flat"])
@pytest.mark.parametrize("shape", [EQUAL, DIFFERENT], ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_npu_gives_the_values_in_pytorchs_order(
    place_rewritten: Place, function: str, shape: tuple[int, ...], flat: bool
) -> None:
    attempt, attempts = place_rewritten(BehindAPool(FUNCTIONS[function], flat=flat), torch.randn(1, *shape))
    assert attempts.kept == {}
    assert len(attempt.lowered.delegates) == 1


# One case in every run shows that the comparison can fail. The other cases show a change of
# upstream.
@pytest.mark.parametrize(
    ("shape", "flat"),
    [
        (EQUAL, True),
        *(
            pytest.param(shape, flat, marks=pytest.mark.campaign)
            for shape, flat in ((EQUAL, False), (DIFFERENT, True), (DIFFERENT, False))
        ),
    ],
    ids=str,
)
def test_upstream_alone_gives_another_order_and_the_comparison_finds_it(
    place_rewritten: Place, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], flat: bool
) -> None:
    monkeypatch.setattr(vela, "sound_permutes", nullcontext)
    _, attempts = place_rewritten(BehindAPool(FUNCTIONS["from a constant"], flat=flat), torch.randn(1, *shape))
    (why,) = {why for number, why in attempts.kept.items() if attempts.captured.operators[number].name == "rsub"}
    assert "the NPU would compute something else" in why
    assert "lie elsewhere" in why and "in output 'output'" in why
