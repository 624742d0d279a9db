# SPDX-License-Identifier: Apache-2.0
"""Options of an export besides model and NPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportOptions:
    """None takes the model's override, then the board's default, then the target's.

    For float_io, None takes the model's `float_io`.
    """

    system_config: str | None = None
    memory_mode: str | None = None
    float_io: bool | None = None
    require_full_delegation: bool = False
    board_system_config: str | None = None
    board_memory_mode: str | None = None
