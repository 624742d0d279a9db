# SPDX-License-Identifier: Apache-2.0
"""Proving that a powered target computes what PyTorch computed. See DESIGN.md in this folder."""

from pilotlight.check.record import CheckReport
from pilotlight.check.run import Target, run_check

__all__ = ["CheckReport", "Target", "run_check"]
