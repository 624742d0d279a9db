# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 of tests/npu, with torchvision's names."""

from __future__ import annotations

import enum
import importlib.util
from pathlib import Path
from typing import Any


class MobileNet_V2_Weights(enum.Enum):  # noqa: N801
    DEFAULT = "random"


def mobilenet_v2(*, weights: MobileNet_V2_Weights) -> Any:
    path = Path(__file__).parents[5] / "npu" / "mobilenet_v2.py"
    spec = importlib.util.spec_from_file_location("pilotlight_test_mobilenet_v2", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MobileNetV2()
