# SPDX-License-Identifier: Apache-2.0
"""Metrics of outputs that are numbers. A label has the shape of the first output's sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotlight.errors import ModelError
from pilotlight.metrics.labels import first, like_output


def rmse(outputs: Any, labels: Any) -> float:
    """Return the root of the mean square error over all values.

    >>> rmse(np.array([[1.0], [3.0]]), [0.0, 3.0]) == 0.5**0.5
    True
    """
    output = first(outputs).astype(np.float64)
    return float(np.sqrt(np.mean(np.square(output - like_output(labels, output)))))


def correlation(outputs: Any, labels: Any) -> float:
    """Return Pearson's correlation over all values.

    >>> round(correlation(np.array([[1.0], [2.0], [3.0]]), [2.0, 4.0, 6.1]), 3)
    1.0
    """
    output = first(outputs).astype(np.float64)
    wanted = like_output(labels, output)
    if output.size < 2 or not np.ptp(output) or not np.ptp(wanted):
        raise ModelError("it needs outputs and labels that vary")
    return float(np.corrcoef(output.reshape(-1), wanted.reshape(-1))[0, 1])
