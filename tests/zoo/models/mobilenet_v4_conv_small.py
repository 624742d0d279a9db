# SPDX-License-Identifier: Apache-2.0
"""MobileNetV4-conv-small, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("mobilenet_v4_conv_small", lambda: timm.create_model("mobilenetv4_conv_small"), images(64))
