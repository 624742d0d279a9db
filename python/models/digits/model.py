# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits: a small CNN on scikit-learn's 8x8 scans. See README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from pilotlight.model_spec import LabelledData, ModelSpec

WEIGHTS = Path(__file__).with_name("weights.npz")
HELD_OUT = 360
CALIBRATION_SAMPLES = 100


class DigitsNet(nn.Module):
    """[N, 1, 8, 8] pixels in 0..1 to [N, 10] scores."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Linear(32 * 2 * 2, 10)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(pixels).flatten(1))


def load_split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training pixels and labels, then held-out pixels and labels.

    The split is a fixed permutation, so training never sees held-out samples. Pixels: 0 to 1.
    """
    scans = load_digits()
    pixels = (scans.images / 16.0).astype(np.float32)[:, np.newaxis]
    order = np.random.Generator(np.random.PCG64(2024)).permutation(len(pixels))
    held_out, training = order[:HELD_OUT], order[HELD_OUT:]
    return pixels[training], scans.target[training], pixels[held_out], scans.target[held_out]


def digits() -> ModelSpec:
    training, _, held_out, labels = load_split()
    module = DigitsNet()
    with np.load(WEIGHTS) as weights:
        module.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    return ModelSpec(
        name="digits",
        module=module.eval(),
        example_inputs=(torch.from_numpy(held_out[:1]),),
        calibration=[(torch.from_numpy(sample[np.newaxis]),) for sample in training[:CALIBRATION_SAMPLES]],
        data_set=LabelledData(inputs=held_out, labels=labels),
        class_labels=tuple(str(digit) for digit in range(10)),
    )
