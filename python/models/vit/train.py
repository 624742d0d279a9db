# SPDX-License-Identifier: Apache-2.0
"""Trains the vision transformer and writes weights.npz beside this file.

python python/models/vit/train.py
"""

from __future__ import annotations

import time

import numpy as np
import torch
from model import WEIGHTS, load_split
from network import SIDE, VisionTransformer
from torch import Tensor, nn

SEED = 11
EPOCHS = 80
BATCH = 64
PEAK_LEARNING_RATE = 2e-3


def moved(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, scale, shift and shear each scan a little, and vary its ink."""
    count = len(pixels)
    change = torch.randn(count, 2, 3, generator=generator) * torch.tensor([0.12, 0.12, 0.12])
    grid = nn.functional.affine_grid(torch.eye(2, 3) + change, [count, 1, SIDE, SIDE], align_corners=False)
    ink = 1 + 0.15 * torch.randn(count, 1, 1, 1, generator=generator)
    return (nn.functional.grid_sample(pixels, grid, align_corners=False) * ink).clamp(0, 1)


@torch.no_grad()
def accuracy(module: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    return float((module(pixels).argmax(1) == labels).float().mean())


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # So that sums are reproducible.
    generator = torch.Generator().manual_seed(SEED)
    pixels, labels, held_out, held_out_labels = (torch.from_numpy(array) for array in load_split())
    module = VisionTransformer()
    optimiser = torch.optim.AdamW(module.parameters(), weight_decay=0.05)
    batches = -(-len(pixels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=EPOCHS * batches)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    start = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        for batch in torch.randperm(len(pixels), generator=generator).split(BATCH):
            optimiser.zero_grad()
            loss = loss_of(module(moved(pixels[batch], generator)), labels[batch])
            loss.backward()
            optimiser.step()
            schedule.step()
        if epoch % 10 == 0:
            right = accuracy(module, pixels, labels)
            print(f"epoch {epoch}: loss {loss.item():.3f}, training accuracy {right:.2%}", flush=True)

    np.savez_compressed(WEIGHTS, **{name: tensor.numpy() for name, tensor in module.state_dict().items()})
    print(f"{sum(parameter.numel() for parameter in module.parameters())} parameters")
    print(f"held-out accuracy {accuracy(module, held_out, held_out_labels):.2%} on {len(held_out)} scans")
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
