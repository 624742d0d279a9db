# SPDX-License-Identifier: Apache-2.0
"""The options of an export, in one class from the command line to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportOptions:
    """npu: Arm's name of the NPU, such as "ethos-u55-128".

    system_config, memory_mode: for Vela. None takes the model's `npu_options`, then the board's
        default, then that of the NPU's family.
    float_io: None takes the model's `float_io`.
    quantisation: text of a recipe (recipe.py). None takes the model's `quantisation`.
    board_system_config, board_memory_mode: the board's defaults; None without a board, or for an
        NPU of another family.
    """

    npu: str
    system_config: str | None = None
    memory_mode: str | None = None
    float_io: bool | None = None
    require_full_delegation: bool = False
    board_system_config: str | None = None
    board_memory_mode: str | None = None
    quantisation: str | None = None
