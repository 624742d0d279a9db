# SPDX-License-Identifier: Apache-2.0
"""The few names that upstream's MobileNetV2 case uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Normalize:
    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self._mean, self._std = torch.tensor(mean).reshape(-1, 1, 1), torch.tensor(std).reshape(-1, 1, 1)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return (image - self._mean) / self._std
