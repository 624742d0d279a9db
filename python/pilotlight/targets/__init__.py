# SPDX-License-Identifier: Apache-2.0
"""Powers an emulated board up and down, and finds its console. See DESIGN.md."""

from pilotlight.targets.power import PoweredTarget, can_answer, connect, power_off, power_up, status
from pilotlight.targets.resets import RESETS_HINT, kept_fault, last_fault
from pilotlight.targets.state import TargetState

__all__ = [
    "RESETS_HINT",
    "PoweredTarget",
    "TargetState",
    "can_answer",
    "connect",
    "kept_fault",
    "last_fault",
    "power_off",
    "power_up",
    "status",
]
