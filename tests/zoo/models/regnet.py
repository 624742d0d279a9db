# SPDX-License-Identifier: Apache-2.0
"""RegNetX-200MF, from timm."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    import timm

    return zoo_spec("regnet", lambda: timm.create_model("regnetx_002"), images(64))
