# SPDX-License-Identifier: Apache-2.0
"""What all reports of a search say in the same words."""

from __future__ import annotations

from pilotlight.metrics.wording import figure
from pilotlight.tune.record import Quality, Trial


def quality_text(quality: Quality) -> str:
    """
    >>> from pilotlight.tune.record import MetricQuality
    >>> quality_text(Quality(25.31, metric=MetricQuality("top-1", 0.975, fp32=0.98)))
    '25.3 dB, 97.50 %'
    """
    decibels = "no error" if quality.sqnr_db is None else f"{quality.sqnr_db:.1f} dB"
    return decibels if quality.metric is None else f"{decibels}, {figure(quality.metric.name, quality.metric.value)}"


def trial_line(trial: Trial, verdict: str) -> str:
    """Return recipe, quality, cost and verdict in one line."""
    quality = "" if trial.quality is None else f"{quality_text(trial.quality)}  "
    costs = "" if trial.costs is None else f"{trial.costs.cycles:,} cycles  "
    return f"{trial.recipe}  {quality}{costs}{first_line(verdict)}"


def first_line(text: str) -> str:
    return text.partition("\n")[0]
