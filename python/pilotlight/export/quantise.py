# SPDX-License-Identifier: Apache-2.0
"""`torch.export` and PT2E post-training quantisation with the model's own calibration samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from pilotlight.model_spec import ModelSpec


@dataclass(frozen=True)
class Quantised:
    """module: quantised graph that runs in PyTorch. program: the same, exported again for lowering."""

    module: Any
    program: Any


def capture(spec: ModelSpec) -> Any:
    """Return the model as a graph of ATen operators. What raises here is the model's own code."""
    # The guards are a call_module, which the Arm quantiser's passes refuse.
    return torch.export.export(spec.module, _example(spec)).module(check_guards=False)


def quantise(graph: Any, spec: ModelSpec, compile_spec: Any) -> Quantised:
    """Quantise to int8, per channel for weights, as the target's quantiser says."""
    quantiser = EthosUQuantizer(compile_spec)
    quantiser.set_global(get_symmetric_quantization_config(is_per_channel=True))
    with torch.no_grad():
        prepared = prepare_pt2e(graph, quantiser)
        for sample in spec.calibration:
            prepared(*sample)
        converted = convert_pt2e(prepared)
        return Quantised(converted, torch.export.export(converted, _example(spec)))


def _example(spec: ModelSpec) -> tuple[Any, ...]:
    return tuple(value.contiguous() for value in spec.example_inputs)
