# SPDX-License-Identifier: Apache-2.0
"""Checks a powered target's outputs against the golden outputs. See DESIGN.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pilotlight.check.connection import Target
    from pilotlight.check.record import CheckReport
    from pilotlight.check.run import run_check

__all__ = ["CheckReport", "Target", "run_check"]


def __getattr__(name: str) -> Any:
    # Imported on demand: each `pilotlight` command loads this package for its options, but few need
    # NumPy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pilotlight.check import connection, record, run

    homes = {"CheckReport": record, "Target": connection, "run_check": run}
    return getattr(homes[name], name)
