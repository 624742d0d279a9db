# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits: a small vision transformer on scikit-learn's 8x8 scans. See README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from network import CLASSES, VisionTransformer
from sklearn.datasets import load_digits

from pilotlight.model_spec import LabelledData, ModelSpec

WEIGHTS = Path(__file__).with_name("weights.npz")
HELD_OUT = 360
CALIBRATION_SAMPLES = 100


def load_split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training pixels and labels, then held-out pixels and labels.

    The split is that of python/models/digits, so the two networks can be compared.
    """
    scans = load_digits()
    pixels = (scans.images / 16.0).astype(np.float32)[:, np.newaxis]
    order = np.random.Generator(np.random.PCG64(2024)).permutation(len(pixels))
    held_out, training = order[:HELD_OUT], order[HELD_OUT:]
    return pixels[training], scans.target[training], pixels[held_out], scans.target[held_out]


def vit() -> ModelSpec:
    training, _, held_out, labels = load_split()
    module = VisionTransformer()
    with np.load(WEIGHTS, allow_pickle=False) as weights:
        module.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    return ModelSpec(
        name="vit",
        module=module.eval(),
        example_inputs=(torch.from_numpy(held_out[:1]),),
        calibration=[(torch.from_numpy(sample[np.newaxis]),) for sample in training[:CALIBRATION_SAMPLES]],
        data_set=LabelledData(inputs=held_out, labels=labels),
        class_labels=tuple(str(digit) for digit in range(CLASSES)),
    )
