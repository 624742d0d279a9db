# SPDX-License-Identifier: Apache-2.0
"""A U-Net that upsamples by bilinear interpolation."""

from __future__ import annotations

from _unet import UNet
from _zoo import images, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec


def _up(channels_in: int, channels_out: int) -> nn.Module:
    grow = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return nn.Sequential(grow, nn.Conv2d(channels_in, channels_out, 1))


def spec() -> ModelSpec:
    return zoo_spec("unet_bilinear", lambda: UNet(_up), images(32))
