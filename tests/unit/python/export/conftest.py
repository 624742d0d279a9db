# SPDX-License-Identifier: Apache-2.0
"""The steps from a module to delegates, without files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from placing import Place
from torch import nn

from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.rewritings.apply import rewrite
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.model_spec import ModelSpec


@pytest.fixture
def place_rewritten(tmp_path: Path) -> Place:
    """Capture, fold, rewrite, quantise, lower, and confirm on the simulator, as an export does."""

    def run(module: nn.Module, x: torch.Tensor) -> tuple[Attempt, Attempts]:
        spec = ModelSpec("m", module.eval(), (x,), [(x,)])
        captured = capture(spec)
        fold_constants(captured.graph)
        rewrite(captured, spec.calibration)
        compile_spec = lower.compile_spec_for(resolve("ethos-u55-128", None, None))
        steps = Steps(NoiseLog(tmp_path / "log"), lambda _: None)
        attempts = Attempts(captured, spec, compile_spec, False, tmp_path / "work", steps, [(x,)])
        return attempts.run(), attempts

    torch.manual_seed(0)
    return run
