# SPDX-License-Identifier: Apache-2.0
"""Proving that a powered target computes what PyTorch computed. See DESIGN.md in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pilotlight.check.record import CheckReport
    from pilotlight.check.run import Target, run_check

__all__ = ["CheckReport", "Target", "run_check"]


def __getattr__(name: str) -> Any:
    # On demand: every `pilotlight` command loads this package for its options, few need NumPy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pilotlight.check import record, run

    return getattr(record if name == "CheckReport" else run, name)
