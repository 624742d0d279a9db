# SPDX-License-Identifier: Apache-2.0
"""ShuffleNetV2 0.5x, from torchvision."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    from torchvision.models import shufflenet_v2_x0_5

    return zoo_spec("shufflenet_v2", shufflenet_v2_x0_5, images(64))
