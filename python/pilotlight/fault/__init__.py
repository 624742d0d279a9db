# SPDX-License-Identifier: Apache-2.0
"""What a fault on the device was: the bytes it left behind, decoded to words, functions and lines. See DESIGN.md."""

from pilotlight.fault.dump import FaultDump, FaultKind
from pilotlight.fault.report import FAULT_FILE, FaultReport, decode_fault

__all__ = ["FAULT_FILE", "FaultDump", "FaultKind", "FaultReport", "decode_fault"]
