# SPDX-License-Identifier: Apache-2.0
"""A long lowering says how far it is."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn

from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.quantising.quantise import capture, quantise
from pilotlight.model_spec import ModelSpec


def test_each_pass_is_named_with_a_percentage_that_grows(tmp_path: Path) -> None:
    x = torch.randn(1, 3, 8, 8)
    spec = ModelSpec("m", nn.Conv2d(3, 4, 3).eval(), (x,), [(x,)])
    captured = capture(spec)
    fold_constants(captured.graph)
    compile_spec = lower.compile_spec_for(resolve("ethos-u55-128", None, None))
    program = quantise(captured, spec, compile_spec).program
    lines: list[str] = []
    lower.lower(program, compile_spec, captured.operators, {}, float_io=False, work=tmp_path, tell=lines.append)
    told = [re.fullmatch(r"  (\d+) % of the passes for the NPU, now (\w+Pass)", line) for line in lines]
    assert len(told) > 100 and None not in told
    shares = [int(match[1]) for match in told if match]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 99
