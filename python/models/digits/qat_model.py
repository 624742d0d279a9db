# SPDX-License-Identifier: Apache-2.0
"""The digits CNN with 4-bit weights from quantisation-aware training. See qat.py and README.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model import digits

from pilotlight.model_spec import ModelSpec

CHECKPOINT = Path(__file__).with_name("qat.pt2")


def digits_qat() -> ModelSpec:
    # Loading the file needs the operators quantized_decomposed, which this import registers.
    import torch.ao.quantization.fx._decomposed

    return replace(digits(), name="digits_qat", module=torch.export.load(CHECKPOINT))
