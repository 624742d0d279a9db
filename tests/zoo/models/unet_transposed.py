# SPDX-License-Identifier: Apache-2.0
"""A U-Net that upsamples with transposed convolutions."""

from __future__ import annotations

from _unet import UNet
from _zoo import images, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec


def _up(channels_in: int, channels_out: int) -> nn.Module:
    return nn.ConvTranspose2d(channels_in, channels_out, 2, 2)


def spec() -> ModelSpec:
    return zoo_spec("unet_transposed", lambda: UNet(_up), images(32))
