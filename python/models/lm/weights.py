# SPDX-License-Identifier: Apache-2.0
"""Keeps the parameters, which are matrices, as int8 rows with a scale each: `weights.npz`.

The quantiser gives each output channel a scale too, so it finds the same integers again. Needs only
NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("weights.npz")
Matrix = NDArray[np.float32]


def save_weights(matrices: Mapping[str, Matrix]) -> None:
    """Round each matrix to what the file can hold, and write them."""
    arrays: dict[str, NDArray[np.int8] | Matrix] = {}
    for name, matrix in matrices.items():
        scales = (np.abs(matrix).max(1) / 127).astype(np.float32)
        arrays[f"{name}.integers"] = np.round(matrix / scales[:, None]).astype(np.int8)
        arrays[f"{name}.scales"] = scales
    np.savez_compressed(FILE, **arrays)  # type: ignore[arg-type]


def load_weights() -> dict[str, Matrix]:
    """Return the matrices by the names of the parameters."""
    with np.load(FILE, allow_pickle=False) as arrays:
        names = [name.removesuffix(".scales") for name in arrays.files if name.endswith(".scales")]
        return {name: arrays[f"{name}.integers"] * arrays[f"{name}.scales"][:, None] for name in names}
