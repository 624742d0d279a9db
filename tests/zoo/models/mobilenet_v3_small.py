# SPDX-License-Identifier: Apache-2.0
"""MobileNetV3-small 1.0, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("mobilenet_v3_small", lambda: timm.create_model("mobilenetv3_small_100"), images(64))
