# SPDX-License-Identifier: Apache-2.0
"""MobileNetV1, width 0.25, 96x96."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from architecture import spec_of

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    from architectures import MobileNetV1

    return spec_of("mobilenet_v1", MobileNetV1(), 3, 96, 96)
