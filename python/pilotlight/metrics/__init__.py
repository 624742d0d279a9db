# SPDX-License-Identifier: Apache-2.0
"""Metrics: what a model's outputs are worth, given the right answers. See DESIGN.md."""

from pilotlight.metrics.metric import BUILT_IN, Metric, as_metric

__all__ = ["BUILT_IN", "Metric", "as_metric"]
