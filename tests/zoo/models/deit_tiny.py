# SPDX-License-Identifier: Apache-2.0
"""DeiT-tiny with patches of 16 x 16, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("deit_tiny", lambda: timm.create_model("deit_tiny_patch16_224", img_size=64), images(64))
