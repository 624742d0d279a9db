# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 1.0, 224x224."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from architecture import spec_of

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    from mobilenet_v2 import MobileNetV2

    return spec_of("mobilenet_v2", MobileNetV2(), 3, 224, 224, samples=2)
