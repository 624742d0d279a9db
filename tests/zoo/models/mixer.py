# SPDX-License-Identifier: Apache-2.0
"""An MLP-Mixer, from timm, with four blocks over 16 patches."""

from __future__ import annotations

from _zoo import images, import_torchvision, zoo_spec

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    import_torchvision()
    from timm.models.mlp_mixer import MlpMixer

    def make() -> MlpMixer:
        mixer = MlpMixer(num_classes=10, img_size=32, patch_size=8, num_blocks=4, embed_dim=64)
        mixer.head.reset_parameters()  # timm sets the weights to zero
        return mixer

    return zoo_spec("mixer", make, images(32))
