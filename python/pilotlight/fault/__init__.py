# SPDX-License-Identifier: Apache-2.0
"""Decodes the dump of a fault to its reason, functions and lines. See DESIGN.md."""

from pilotlight.fault.report import FaultReport, decode_fault
from pilotlight.link.fault_dump import FaultDump, FaultKind

__all__ = ["FaultDump", "FaultKind", "FaultReport", "decode_fault"]
