# SPDX-License-Identifier: Apache-2.0
"""Decodes the dump of a fault to its reason, functions and lines. See DESIGN.md."""

from pilotlight.fault.dump import FaultDump, FaultKind
from pilotlight.fault.report import FAULT_FILE, FaultReport, decode_fault

__all__ = ["FAULT_FILE", "FaultDump", "FaultKind", "FaultReport", "decode_fault"]
