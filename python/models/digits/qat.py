# SPDX-License-Identifier: Apache-2.0
"""Trains the digits CNN for 4-bit weights and writes qat.pt2 beside this file.

Quantisation-aware training (QAT) through PT2E: fake quantisers round weights and activations during
a few epochs, beginning with the float weights, so the network learns to live with the rounding.
`qat_model.py` is the model file that loads the result. Run this as a script without arguments.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import torch
from executorch.backends.arm.ethosu import EthosUCompileSpec
from executorch.backends.arm.quantizer import EthosUQuantizer
from model import digits, load_split
from torch import nn
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from train import accuracy, shifted

from pilotlight.export.quantising.annotations import recipe_configuration
from pilotlight.recipe import Recipe

CHECKPOINT = Path(__file__).with_name("qat.pt2")
RECIPE = Recipe("a8w4")
SEED = 11
EPOCHS = 12
BATCH = 32
LEARNING_RATE = 1e-3


def quantiser(*, is_qat: bool) -> Any:
    """Return ExecuTorch's quantiser with the recipe. The NPU matters only for its family."""
    return EthosUQuantizer(EthosUCompileSpec("ethos-u55-128")).set_global(recipe_configuration(RECIPE, is_qat=is_qat))


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    pixels, labels, held_out, held_out_labels = (torch.from_numpy(array) for array in load_split())
    spec = digits()
    start = time.monotonic()

    # The batch is dynamic while training, and one for the device.
    batch = torch.export.Dim("batch", min=1, max=1024)
    captured = torch.export.export(spec.module, (pixels[:2],), dynamic_shapes=({0: batch},))
    graph = captured.module(check_guards=False)
    calibrated = prepare_pt2e(copy.deepcopy(graph), quantiser(is_qat=False))
    for sample in spec.calibration:
        calibrated(*sample)
    before = convert_pt2e(calibrated)
    print(f"held-out accuracy in float              {accuracy(spec.module, held_out, held_out_labels):.2%}")
    print(f"quantised to {RECIPE}, without training    {accuracy(before, held_out, held_out_labels):.2%}")

    trained = prepare_qat_pt2e(copy.deepcopy(graph), quantiser(is_qat=True))
    optimiser = torch.optim.AdamW(trained.parameters(), LEARNING_RATE)
    batches = -(-len(pixels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(pixels), generator=generator).split(BATCH):
            optimiser.zero_grad()
            loss_of(trained(shifted(pixels[chosen], generator)), labels[chosen]).backward()
            optimiser.step()
            schedule.step()
    move_exported_model_to_eval(trained)
    converted = convert_pt2e(trained)
    print(f"quantised to {RECIPE}, after {EPOCHS} epochs      {accuracy(converted, held_out, held_out_labels):.2%}")

    program = torch.export.export(converted, spec.example_inputs)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # Paths of this machine. Leave them to see lines in reports.
    torch.export.save(program, CHECKPOINT)
    print(f"{CHECKPOINT.name}: {CHECKPOINT.stat().st_size} bytes, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
