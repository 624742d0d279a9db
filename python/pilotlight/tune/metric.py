# SPDX-License-Identifier: Apache-2.0
"""The metric of a model: how good its answers are, apart from how near its outputs are to FP32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.export.report.report import ExportReport
from pilotlight.metrics import Metric
from pilotlight.model_spec import ModelSpec
from pilotlight.tune.record import MetricQuality


def has_metric(spec: ModelSpec) -> bool:
    return isinstance(spec.metric, Metric)


def metric_of_outputs(spec: ModelSpec, outputs: list[NDArray[Any]], fp32: list[NDArray[Any]]) -> MetricQuality | None:
    """Return the metric of outputs [samples, ...] in real units; None if the model has none.

    Raises ModelError if the metric raises.
    """
    metric = spec.metric
    if not isinstance(metric, Metric) or spec.data_set is None:
        return None
    labels = spec.data_set.labels

    def of(values: list[NDArray[Any]], whose: str) -> float:
        return metric.of(tuple(value.astype(np.float64) for value in values), labels, whose)

    return MetricQuality(metric.title, of(outputs, "quantised"), of(fp32, "FP32"), metric.higher_is_better)


def metric_of_report(report: ExportReport) -> MetricQuality | None:
    """Return the metric of the golden outputs."""
    found = report.metric
    return None if found is None else MetricQuality(found.name, found.golden, found.fp32, found.higher_is_better)
