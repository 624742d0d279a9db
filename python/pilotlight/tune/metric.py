# SPDX-License-Identifier: Apache-2.0
"""The metric of a model: how good its answers are, apart from how near its outputs are to FP32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.export.report.accuracy import top_one
from pilotlight.export.report.report import ExportReport
from pilotlight.model_spec import ModelSpec


def has_metric(spec: ModelSpec) -> bool:
    return spec.data_set is not None and spec.data_set.labels is not None


def metric_of_outputs(spec: ModelSpec, outputs: list[NDArray[Any]]) -> float | None:
    """Return the metric of outputs [samples, ...] in real units, None if the model has none."""
    if spec.data_set is None or spec.data_set.labels is None:
        return None
    labels = np.asarray(spec.data_set.labels, dtype=np.int64)
    return top_one(labels, outputs[0], outputs[0], outputs[0]).fp32


def metric_of_report(report: ExportReport) -> tuple[float, float, bool] | None:
    """Return the metric of the golden outputs and of FP32, and whether higher is better."""
    found = report.top_one
    return None if found is None else (found.golden, found.fp32, True)
