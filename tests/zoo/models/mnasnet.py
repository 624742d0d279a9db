# SPDX-License-Identifier: Apache-2.0
"""MNASNet-small, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("mnasnet", lambda: timm.create_model("mnasnet_small"), images(64))
