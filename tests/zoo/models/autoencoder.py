# SPDX-License-Identifier: Apache-2.0
"""The autoencoder of MLPerf Tiny's anomaly detection: nine linear layers with batch norms."""

from __future__ import annotations

from itertools import pairwise

from _zoo import signals, zoo_spec
from torch import nn

from pilotlight.model_spec import ModelSpec

_WIDTHS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)


def _autoencoder() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(_WIDTHS):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(_WIDTHS[-1], _WIDTHS[0]))


def spec() -> ModelSpec:
    return zoo_spec("autoencoder", _autoencoder, signals(5, 128).flatten(1))
