# SPDX-License-Identifier: Apache-2.0
"""A view after a slice of one element takes the right elements.

Upstream's own wrong view is noticed.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from placing import Computes, Place

from pilotlight.export.upstream import vela

CASES = {
    "select": (lambda x: x[:, 1].reshape(8, 4).tanh(), (4, 3, 2, 4)),
    "slice of one": (lambda x: x[:, 1:2].reshape(8, 4).tanh(), (4, 3, 2, 4)),
    "after a transpose": (lambda x: x.transpose(1, 2)[:, :, 2].reshape(8, 4).tanh(), (4, 3, 2, 4)),
    "unbind": (lambda x: x.unbind(1)[2].reshape(8, 4).tanh(), (4, 3, 2, 4)),
    "heads": (lambda x: x.reshape(4, 6, 3, 2, 4)[:, :, 2].transpose(1, 2).reshape(8, 6, 4).tanh(), (4, 6, 24)),
}
SAFE = {
    "one sample": (lambda x: x[:, 1].reshape(2, 4).tanh(), (1, 3, 2, 4)),
    "the last dimension": (lambda x: x[..., 1].reshape(24).tanh(), (4, 3, 2, 4)),
}


@pytest.mark.parametrize("case", [*CASES, *SAFE])
def test_the_npu_takes_the_right_elements(place_rewritten: Place, case: str) -> None:
    function, shape = {**CASES, **SAFE}[case]
    _, attempts = place_rewritten(Computes(function), torch.randn(shape))
    assert attempts.kept == {}


# One case in every run shows that the comparison can fail. The other cases show a change of
# upstream.
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.campaign] * (case != "slice of one")) for case in CASES]
)
def test_upstream_alone_takes_others_and_the_comparison_finds_it(
    place_rewritten: Place, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(vela, "sound_slices", nullcontext)
    function, shape = CASES[case]
    _, attempts = place_rewritten(Computes(function), torch.randn(shape))
    assert any("the NPU would compute something else" in why for why in attempts.kept.values())
