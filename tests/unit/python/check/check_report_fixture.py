# SPDX-License-Identifier: Apache-2.0
"""A report as a check makes it, with two classes and four images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pytest

from pilotlight.bundle import ModelInfo, TensorInfo
from pilotlight.check.compare import Accuracy, Rounding
from pilotlight.check.data_set import DataSet
from pilotlight.check.record import CheckReport, Latency, ModelReport, Observations, Spread
from pilotlight.link.answers import Statistics


@pytest.fixture
def report() -> Callable[..., CheckReport]:
    image, scores = TensorInfo("x", "int8", (1, 1, 6, 5), 0.5, 0), TensorInfo("y", "int8", (1, 2), 0.5, 0)
    info = ModelInfo("fake", "fake.py", "ethos-u55-128", "s", "m", (image,), (scores,), ("cat", "<dog>"), "ab" * 32)
    outputs = np.array([[5, 1], [1, 5], [9, 1], [2, 3]], np.int8)
    images = np.arange(120, dtype=np.int8).reshape(4, 1, 6, 5)
    data = DataSet((images,), (outputs,), (outputs,), (outputs.astype(np.float32),), np.array([0, 1, 1, 1]), 4)
    spread = Spread(1500.0, 1400.0, 1600.0)
    model = ModelReport(
        model="fake",
        npu="ethos-u55-128",
        verdict="pass",
        samples=4,
        data_set_samples=4,
        identical_samples=4,
        accuracy=Accuracy(4, device=3, golden=3, quantised=3, fp32=4),
        rounding=Rounding(1, 8, 1, 2.0),
        latency=Latency(spread, spread, spread, spread),
        memory=Statistics(3000, 4096, 512, 0, 2048, 1800, 8192, 0, 0),
        observations=Observations(info, data, (outputs,), (1500.0, 1400.0, 1600.0, 1500.0)),
    )
    made = CheckReport(
        verdict="pass",
        board="qemu-corstone300",
        build_id="0123456789abcdef",
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        npu="ethos-u55-128",
        models=(model,),
    )

    def build(**changes: Any) -> CheckReport:
        """Change fields of the report, of its only model, or of both."""
        of_model = {key: value for key, value in changes.items() if key in ModelReport.__dataclass_fields__}
        of_check = {key: value for key, value in changes.items() if key in CheckReport.__dataclass_fields__}
        return replace(made, **of_check, models=(replace(model, **of_model),))

    return build
