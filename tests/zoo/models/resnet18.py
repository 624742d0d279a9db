# SPDX-License-Identifier: Apache-2.0
"""ResNet-18, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("resnet18", lambda: timm.create_model("resnet18", num_classes=10), images(64))
