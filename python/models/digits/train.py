# SPDX-License-Identifier: Apache-2.0
"""Trains the digits CNN and writes weights.npz beside this file.

Run it as a script without arguments.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from model import WEIGHTS, DigitsNet, load_split
from torch import nn

SEED = 7
EPOCHS = 60
BATCH = 32
PEAK_LEARNING_RATE = 4e-3


def shifted(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Move each scan by up to one pixel and vary its ink, as handwriting varies."""
    padded = nn.functional.pad(pixels, (1, 1, 1, 1))
    rows, columns = torch.randint(0, 3, (2, len(pixels)), generator=generator)
    moved = torch.stack(
        [padded[i, :, r : r + 8, c : c + 8] for i, (r, c) in enumerate(zip(rows, columns, strict=True))]
    )
    ink = 1 + 0.15 * torch.randn(len(pixels), 1, 1, 1, generator=generator)
    return (moved * ink).clamp(0, 1)


def accuracy(module: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((module(pixels).argmax(1) == labels).float().mean())


def main() -> None:
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    # The model is too small for more threads, and a busy second core would make training slower.
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    pixels, labels, held_out, held_out_labels = (torch.from_numpy(array) for array in load_split())

    module = DigitsNet()
    optimiser = torch.optim.AdamW(module.parameters(), weight_decay=1e-2)
    batches = -(-len(pixels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=EPOCHS * batches)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    start = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        for batch in torch.randperm(len(pixels), generator=generator).split(BATCH):
            optimiser.zero_grad()
            loss = loss_of(module(shifted(pixels[batch], generator)), labels[batch])
            loss.backward()
            optimiser.step()
            schedule.step()
        if epoch % 10 == 0:
            print(f"epoch {epoch}: loss {loss.item():.3f}, training accuracy {accuracy(module, pixels, labels):.2%}")

    np.savez_compressed(WEIGHTS, **{name: tensor.numpy() for name, tensor in module.state_dict().items()})
    print(f"held-out accuracy {accuracy(module, held_out, held_out_labels):.2%} on {len(held_out)} scans")
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
