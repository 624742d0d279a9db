# SPDX-License-Identifier: Apache-2.0
"""PyTorch model to export bundle: quantise, lower, compile, and compute the golden outputs.

torch is imported only inside `export_model`, so a command that imports this package starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pilotlight.export.report.report import ExportReport
from pilotlight.export_options import ExportOptions

__all__ = ["ExportOptions", "ExportReport", "export_model"]


def export_model(
    model: str, options: ExportOptions, out: Path, *, progress: Callable[[str], None] | None = None
) -> ExportReport:
    """Export `model` for `options.npu` and write the bundle (see bundle.py) to the folder `out`.

    model: a folder's name in python/models, or the path of a model file or an exported program.
    progress: called with one line per step.

    `out` is replaced as a whole at the end, or left as it was. The output of upstream libraries
    goes to export.log in this folder; after a failure the log is `<out>.failed.log`.

    Raises ConfigError for a wrong NPU, option or folder, ModelError for a model file that raises or
    cannot be exported, UnsupportedOperator for an operator that neither the NPU nor the firmware
    has.
    """
    from pilotlight.export.pipeline import run_export

    return run_export(model, out, options, progress or (lambda line: None))
