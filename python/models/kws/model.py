# SPDX-License-Identifier: Apache-2.0
"""Keyword spotting: the DS-CNN of MLPerf Tiny on MFCC features.

train.py trains it on synthesised speech.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from features import load_description
from torch import nn

from pilotlight.model_spec import LabelledData, ModelSpec

HERE = Path(__file__).resolve().parent
CHANNELS = 64
BLOCKS = 4


def convolution(inputs: int, outputs: int, batch_norm: bool, **shape: object) -> nn.Sequential:
    """Return convolution and ReLU, in training with batch normalisation between them.

    After training, train.py folds the batch normalisation into the convolution.
    """
    normalise = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, **shape), normalise, nn.ReLU())  # type: ignore[arg-type]


class DsCnn(nn.Module):
    """Maps features [batch, 1, 49, 10] to logits [batch, 12]."""

    def __init__(self, classes: int, *, batch_norm: bool = False) -> None:
        super().__init__()
        layers = [convolution(1, CHANNELS, batch_norm, kernel_size=(10, 4), stride=2, padding=(5, 1))]
        for _ in range(BLOCKS):
            layers.append(convolution(CHANNELS, CHANNELS, batch_norm, kernel_size=3, padding=1, groups=CHANNELS))
            layers.append(convolution(CHANNELS, CHANNELS, batch_norm, kernel_size=1))
        self.convolutions = nn.Sequential(*layers)
        # The window covers the whole plane: the strided first convolution makes 25 x 5 of 49 x 10.
        # Stride 1, because the NPU's average pools have strides of at most 3.
        self.pool = nn.AvgPool2d((25, 5), stride=1)
        self.classify = nn.Linear(CHANNELS, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(torch.flatten(self.pool(self.convolutions(x)), 1))


def load_array(file: str, name: str) -> np.ndarray:
    with np.load(HERE / file, allow_pickle=False) as arrays:
        return arrays[name]


def kws() -> ModelSpec:
    mfcc, labels = load_description()
    module = DsCnn(len(labels)).eval()
    with np.load(HERE / "weights.npz", allow_pickle=False) as weights:
        module.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})

    shape = (-1, 1, mfcc.frames, mfcc.coefficients)
    calibration = load_array("calibration.npz", "features").astype(np.float32).reshape(shape)
    samples = [(torch.from_numpy(sample[None]),) for sample in calibration]
    return ModelSpec(
        name="kws",
        module=module,
        example_inputs=samples[0],
        calibration=samples,
        data_set=LabelledData(
            inputs=load_array("heldout.npz", "features").astype(np.float32).reshape(shape),
            labels=load_array("heldout.npz", "labels").astype(np.int64),
        ),
        class_labels=labels,
    )
