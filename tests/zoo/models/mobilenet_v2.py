# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 1.0, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("mobilenet_v2", lambda: timm.create_model("mobilenetv2_100"), images(64))
