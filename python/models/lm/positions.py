# SPDX-License-Identifier: Apache-2.0
"""The sizes of the model, and the inputs that depend on the position alone. Needs only NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 512
WIDTH = 128
LAYERS = 4
HEADS = 4
HEAD_WIDTH = WIDTH // HEADS
HIDDEN = 256
CONTEXT = 128
SLOTS = CONTEXT - 1  # The newest token is not in the cache.

# What the mask holds: the highest score that a slot may have. In the calibration texts, the highest
# scores of a token are between -2 and 17.5. So OPEN is above all scores. At FLOOR the softmax of an
# int8 model is zero; in FP32 it is below 5e-5. A wider range would make the int8 steps coarser.
OPEN = 18.0
FLOOR = -12.0
_SLOWEST_TURN = 1e-3  # Radians a token. The first pair of channels turns by one radian.


def rotations() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return cosines and sines, [CONTEXT, HEAD_WIDTH // 2]. Row p belongs to position p."""
    turns = _SLOWEST_TURN ** np.linspace(0, 1, HEAD_WIDTH // 2)
    angles = np.arange(CONTEXT)[:, None] * turns
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def masks() -> NDArray[np.float32]:
    """Return the mask of each position, [CONTEXT, CONTEXT].

    Open are the slots before the position, and the last place, which is the newest token itself.
    """
    slot, position = np.arange(CONTEXT), np.arange(CONTEXT)[:, None]
    return np.where((slot < position) | (slot == SLOTS), OPEN, FLOOR).astype(np.float32)
