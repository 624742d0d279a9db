# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("efficientnet_lite0", lambda: timm.create_model("efficientnet_lite0"), images(64))
