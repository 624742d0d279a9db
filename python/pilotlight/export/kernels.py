# SPDX-License-Identifier: Apache-2.0
"""Which operators the firmware can run on the CPU.

The list is firmware/kernels/*.yaml, in the format of ExecuTorch's code generator, which also registers
the kernels: what stands there is what an image can have.
"""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight.paths import ROOT

KERNELS = ROOT / "firmware" / "kernels"
_ENTRY = re.compile(r"^- *(?:func|op): *([\w.]+(?:::[\w.]+)?)", re.MULTILINE)

# Part of every runtime, as upstream's prim operators are; they are in no kernel list.
_PRIMITIVE = "executorch_prim::"


def firmware_kernels(folder: Path = KERNELS) -> frozenset[str]:
    """Return names such as "quantized_decomposed::quantize_per_tensor.out"."""
    names = (name for file in sorted(folder.glob("*.yaml")) for name in _ENTRY.findall(file.read_text("utf-8")))
    return frozenset(name if "::" in name else f"aten::{name}" for name in names)


def missing_kernels(operators: list[str], kernels: frozenset[str]) -> list[str]:
    """Return those of `operators` that an image could not run, without duplicates, in order."""
    return [name for name in dict.fromkeys(operators) if name not in kernels and not name.startswith(_PRIMITIVE)]
