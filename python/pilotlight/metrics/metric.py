# SPDX-License-Identifier: Apache-2.0
"""`Metric`, the built-in metrics by name, and the call of a metric with its errors."""

from __future__ import annotations

import difflib
import linecache
import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pilotlight.errors import ModelError
from pilotlight.metrics import boxes, classes, maps, numbers, sequences

Function = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Metric:
    """A figure for the outputs of a whole data set.

    function: takes `outputs` and `labels`, returns a number.
        outputs: an array [samples, ...] of real numbers, without the batch dimension of one; a
        tuple of them if the model has several outputs.
        labels: integer array [samples] for classes; else a list with the label of each sample.
    name: for reports. "": the function's own name.
    higher_is_better: False for an error.
    """

    function: Function
    name: str = ""
    higher_is_better: bool = True

    @property
    def title(self) -> str:
        return self.name or getattr(self.function, "__name__", "metric")

    def of(self, outputs: tuple[NDArray[Any], ...], labels: Any, whose: str) -> float:
        """Return the metric of real-valued outputs. whose: "FP32", for messages.

        Raises ModelError if the function raises or returns something that is not a finite number.
        """
        given = outputs[0] if len(outputs) == 1 else outputs
        try:
            value = self.function(given, labels)
        except ModelError as error:
            raise ModelError(f"metric {self.title!r} of the {whose} outputs: {error}", hint=error.hint) from error
        except Exception as error:
            raise _raised(self, whose, error) from error
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ModelError(
                f"metric {self.title!r} of the {whose} outputs is {value!r}, not a finite number",
                hint="return one number, such as float(np.mean(...))",
            )
        return number


BUILT_IN: dict[str, Metric] = {
    "top-1": Metric(classes.top_1, "top-1"),
    "top-5": Metric(classes.top_5, "top-5"),
    "AUC": Metric(classes.auc, "AUC"),
    "mIoU": Metric(maps.mean_iou, "mIoU"),
    "mAP@0.5": Metric(boxes.map_50, "mAP@0.5"),
    "word error rate": Metric(sequences.word_error_rate, "word error rate", higher_is_better=False),
    "perplexity": Metric(sequences.perplexity, "perplexity", higher_is_better=False),
    "RMSE": Metric(numbers.rmse, "RMSE", higher_is_better=False),
    "correlation": Metric(numbers.correlation, "correlation"),
}


def as_metric(given: Any) -> Metric:
    """Return the metric for a name, a function or a `Metric`.

    Raises ModelError for an unknown name and for anything else.
    """
    if isinstance(given, Metric):
        return given
    if isinstance(given, str):
        if given in BUILT_IN:
            return BUILT_IN[given]
        by_lower = {name.lower(): name for name in BUILT_IN}
        close = difflib.get_close_matches(given.lower(), by_lower, n=1)
        nearest = f"did you mean {by_lower[close[0]]!r}? " if close else ""
        raise ModelError(f"there is no metric {given!r}", hint=f"{nearest}there are: {', '.join(BUILT_IN)}")
    if callable(given):
        return Metric(given)
    raise ModelError(
        f"metric is {type(given).__name__}, not a name or a function", hint=f"one of {', '.join(BUILT_IN)}"
    )


def _raised(metric: Metric, whose: str, error: Exception) -> ModelError:
    """Return the error for a function that raised. It names the innermost line of the user's."""
    here = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(here) and "site-packages" not in frame.filename
    ]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    source = linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip() if frames else ""
    said = (str(error).splitlines() or ["(no message)"])[0]
    return ModelError(
        f"metric {metric.title!r} of the {whose} outputs raised {type(error).__name__}{place}: {said}"
        + (f"\n    {source}" if source else ""),
        hint="it gets (outputs, labels): arrays [samples, ...], and a label for each sample",
    )
