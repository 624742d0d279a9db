# SPDX-License-Identifier: Apache-2.0
"""nn.LSTM over a sequence of sixteen steps, and a linear layer."""

from __future__ import annotations

from _recurrent import recurrent_spec
from torch import nn

from pilotlight.model_spec import ModelSpec


def spec() -> ModelSpec:
    return recurrent_spec("lstm", nn.LSTM)
