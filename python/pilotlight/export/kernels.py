# SPDX-License-Identifier: Apache-2.0
"""Lists the operators that the firmware can run on the CPU.

The list is firmware/kernels/*.yaml. Kernels are registered from the same files, so an image can
have exactly these operators.
"""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight.paths import ROOT

KERNELS = ROOT / "firmware" / "kernels"
_ENTRY = re.compile(r"^- *(?:func|op): *([\w.]+(?:::[\w.]+)?)", re.MULTILINE)

# Every runtime has these operators, and no kernel list names them.
_PRIMITIVE = "executorch_prim::"


def firmware_kernels(folder: Path = KERNELS) -> frozenset[str]:
    """Return names such as "quantized_decomposed::quantize_per_tensor.out"."""
    names = (name for file in sorted(folder.glob("*.yaml")) for name in _ENTRY.findall(file.read_text("utf-8")))
    return frozenset(name if "::" in name else f"aten::{name}" for name in names)


def missing_kernels(operators: list[str], kernels: frozenset[str]) -> list[str]:
    """Return the `operators` that no image can run, in order and without duplicates."""
    return [name for name in dict.fromkeys(operators) if name not in kernels and not name.startswith(_PRIMITIVE)]
