# SPDX-License-Identifier: Apache-2.0
"""Reads a bundle's golden.npz (inputs and expected outputs) and checks it with model.json."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import ModelInfo, TensorInfo
from pilotlight.errors import ConfigError
from pilotlight.labels import load_labels

Array = NDArray[Any]

_HINT = "export the model again: delete the bundle folder, then build"


@dataclass(frozen=True)
class DataSet:
    """One array per input or output, [samples, ...]; see bundle.py.

    labels: class numbers [samples], for pictures and counts; None if the labels are no classes.
    answers: the labels as the model's metric takes them; None without.
    """

    inputs: tuple[Array, ...]
    golden: tuple[Array, ...]
    quantised: tuple[Array, ...]
    fp32: tuple[Array, ...]
    labels: Array | None
    samples: int
    answers: Any = None

    def input_bytes(self, sample: int, described: tuple[TensorInfo, ...]) -> list[bytes]:
        """Return the sample's inputs as bytes in the device's layout."""
        return [
            little_endian(about.in_memory(array[sample])).tobytes()
            for about, array in zip(described, self.inputs, strict=True)
        ]


def little_endian(array: Array) -> Array:
    """Return the array contiguous and in little-endian byte order."""
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)


def load_data_set(bundle: Path, info: ModelInfo) -> DataSet:
    """Read golden.npz. Raises ConfigError if the file is incomplete or does not fit the model."""
    path = bundle / "golden.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist", hint=_HINT) from error
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: damaged ({error})", hint=_HINT) from error

    def take(kind: str, tensors: tuple[TensorInfo, ...], dtype: str | None = None) -> tuple[Array, ...]:
        return tuple(_take(path, arrays, f"{kind}_{i}", about, dtype) for i, about in enumerate(tensors))

    answers = load_labels(bundle, arrays.get("labels"))
    data = DataSet(
        inputs=take("input", info.inputs),
        golden=take("golden", info.outputs),
        quantised=take("quantised", info.outputs),
        fp32=take("fp32", info.outputs, "float32"),
        labels=answers if _are_classes(answers, info) else None,
        samples=len(arrays["golden_0"]) if info.outputs else 0,
        answers=answers,
    )
    if data.samples == 0:
        raise ConfigError(f"{path}: there are no samples, so a check would prove nothing", hint=_HINT)
    every = (*data.inputs, *data.golden, *data.quantised, *data.fp32, *([] if answers is None else [answers]))
    if any(len(array) != data.samples for array in every):
        raise ConfigError(f"{path}: its arrays have different numbers of samples", hint=_HINT)
    return data


def _are_classes(answers: Any, info: ModelInfo) -> bool:
    """Whether the answer of the model is a class, and labels are the right ones."""
    by_class = info.metric is None or info.metric.name in ("top-1", "top-5")
    return by_class and isinstance(answers, np.ndarray) and answers.ndim == 1 and answers.dtype.kind in "iu"


def _take(path: Path, arrays: dict[str, Array], name: str, about: TensorInfo, dtype: str | None) -> Array:
    if name not in arrays:
        raise ConfigError(f"{path}: {name} is missing", hint=_HINT)
    array = arrays[name]
    expected = dtype or about.dtype
    if array.dtype != np.dtype(expected):
        raise ConfigError(f"{path}: {name} is {array.dtype}, model.json says {expected}", hint=_HINT)
    if array.ndim == 0 or math.prod(array.shape[1:]) != math.prod(about.shape):
        raise ConfigError(f"{path}: {name} is {array.shape}, model.json says samples of {about.shape}", hint=_HINT)
    return array
