# SPDX-License-Identifier: Apache-2.0
"""PyTorch model to export bundle: quantise, lower, compile, and compute the golden outputs.

torch is imported only inside `export_model`, so a command that imports this package starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pilotlight.export.report import ExportReport

__all__ = ["ExportReport", "export_model"]


def export_model(
    model: str,
    target: str,
    out: Path,
    *,
    system_config: str | None = None,
    memory_mode: str | None = None,
    float_io: bool | None = None,
    require_full_delegation: bool = False,
    board_system_config: str | None = None,
    board_memory_mode: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ExportReport:
    """Export `model` for `target` and write the bundle (see bundle.py) to the folder `out`.

    model: the name of a folder in python/models, or the path of a model file.
    target: the NPU as Arm names it, "ethos-u55-128".
    system_config, memory_mode: None takes the model's override, then the board's default, then
        ExecuTorch's default for the target.
    float_io: None takes the model's `float_io`.
    require_full_delegation: fail if an operator stays on the CPU.
    board_system_config, board_memory_mode: the board's defaults.
    progress: called with one line per step.

    `out` is replaced as a whole at the end. After a failure it is unchanged. The output of upstream
    libraries is in `out`/export.log; after a failure it is in `<out>.failed.log`.

    Raises ConfigError for a wrong target, option or folder, ModelError for a model file that raises
    or cannot be exported, UnsupportedOperator for an operator that neither the NPU nor the firmware
    has, or for one on the CPU if `require_full_delegation`.
    """
    from pilotlight.export.options import ExportOptions
    from pilotlight.export.pipeline import run_export

    options = ExportOptions(
        system_config, memory_mode, float_io, require_full_delegation, board_system_config, board_memory_mode
    )
    return run_export(model, target, out, options, progress or (lambda line: None))
