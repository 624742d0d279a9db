# SPDX-License-Identifier: Apache-2.0
"""Computes the model's metric from the device's answers, beside those of the stages before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import ModelInfo, TensorInfo
from pilotlight.check.data_set import DataSet
from pilotlight.check.record import Measured
from pilotlight.errors import ModelError, PilotlightError
from pilotlight.metrics import BUILT_IN, Metric
from pilotlight.metrics.changes import changes

Array = NDArray[Any]


def measured(info: ModelInfo, data: DataSet, outputs: tuple[Array, ...]) -> Measured | None:
    """Return the metric of the first samples, as many as `outputs` has. None without a metric.

    A metric that cannot be computed does not change the verdict; `Measured.problem` says why.
    """
    if info.metric is None or data.answers is None:
        return None
    name, higher = info.metric.name, info.metric.higher_is_better
    count = len(outputs[0])
    labels = data.answers[:count]
    try:
        metric = _metric(info)
        fp32 = tuple(array[:count] for array in data.fp32)
        device = _real(outputs, info.outputs)
        return Measured(
            name=name,
            higher_is_better=higher,
            fp32=metric.of(fp32, labels, "FP32"),
            quantised=metric.of(_real(data.quantised, info.outputs, count), labels, "quantised"),
            golden=metric.of(_real(data.golden, info.outputs, count), labels, "golden"),
            device=metric.of(device, labels, "device's"),
            changes=changes(metric, fp32, device, labels, info.labels),
        )
    except PilotlightError as error:
        return Measured(name, higher, problem=str(error))


def _metric(info: ModelInfo) -> Metric:
    """Return the metric. A function is taken from the model file: a bundle holds no code."""
    assert info.metric is not None
    if info.metric.built_in:
        if info.metric.name not in BUILT_IN:
            raise ModelError(f"this version of pilotlight has no metric {info.metric.name!r}")
        return BUILT_IN[info.metric.name]
    source = Path(info.source)
    if not source.is_file():
        raise ModelError(f"metric {info.metric.name!r} is a function of {source}, which is not there")
    # Here, because it imports PyTorch, and few models have such a metric.
    from pilotlight.export.model.model_file import load_model

    metric = load_model(source).metric
    if not isinstance(metric, Metric) or metric.title != info.metric.name:
        raise ModelError(f"{source}: no longer has the metric {info.metric.name!r}", hint="west build")
    return metric


def _real(arrays: tuple[Array, ...], infos: tuple[TensorInfo, ...], count: int | None = None) -> tuple[Array, ...]:
    return tuple(
        (array[:count].astype(np.float64) - info.zero_point) * info.scale if info.scale else array[:count]
        for array, info in zip(arrays, infos, strict=True)
    )
