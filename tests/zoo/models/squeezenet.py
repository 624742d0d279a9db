# SPDX-License-Identifier: Apache-2.0
"""SqueezeNet 1.1, from torchvision."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    from torchvision.models import squeezenet1_1

    return zoo_spec("squeezenet", squeezenet1_1, images(64))
