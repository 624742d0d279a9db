# SPDX-License-Identifier: Apache-2.0
"""Trains the language model and writes the files beside this one: vocabulary.txt, weights.npz,
calibration.txt and heldout.txt.

    python python/models/lm/train.py

Prints the perplexity on the held-out paragraphs that README.md reports.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from corpus import paragraphs
from network import Decoder
from perplexity import perplexity
from positions import CONTEXT, VOCABULARY
from tokens import Vocabulary, learn_vocabulary, save_vocabulary
from torch import Tensor
from torch.nn import functional
from weights import load_weights, save_weights

HERE = Path(__file__).resolve().parent
SEED = 1
STEPS = 1100
BATCH = 24
PEAK_LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
CALIBRATION_PARAGRAPHS = 24


def stream(texts: Sequence[str], vocabulary: Vocabulary) -> Tensor:
    """Return all texts as one row of tokens, a line break before each."""
    return torch.tensor([token for text in texts for token in vocabulary.encode(f"\n{text}")])


def train(tokens: Tensor) -> Decoder:
    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    decoder = Decoder()
    for name, parameter in decoder.named_parameters():
        torch.nn.init.normal_(parameter, std=0.5 if "embedding" in name else parameter.shape[1] ** -0.5)
        if "out" in name or "down" in name:
            parameter.data *= 0.3
    optimiser = torch.optim.AdamW(decoder.parameters(), betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    started, total = time.monotonic(), 0.0
    for step in range(1, STEPS + 1):
        starts = torch.randint(len(tokens) - CONTEXT, (BATCH, 1), generator=generator)
        crops = tokens[starts + torch.arange(CONTEXT + 1)]
        logits = decoder(crops[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), crops[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 50 == 0:
            print(f"step {step}/{STEPS}: loss {total / 50:.3f}, {time.monotonic() - started:.0f} s", flush=True)
            total = 0.0
    return decoder.eval()


def main() -> None:
    torch.set_num_threads(1)  # So that sums are reproducible.
    started = time.monotonic()
    texts, held_out = paragraphs()
    vocabulary = learn_vocabulary(texts, VOCABULARY)
    save_vocabulary(HERE / "vocabulary.txt", vocabulary)
    order = np.random.default_rng(SEED).permutation(len(texts))
    texts = [texts[i] for i in order]
    (HERE / "calibration.txt").write_text("\n".join(texts[:CALIBRATION_PARAGRAPHS]) + "\n", encoding="ascii")
    (HERE / "heldout.txt").write_text("\n".join(held_out) + "\n", encoding="ascii")
    tokens = stream(texts, vocabulary)
    print(
        f"{len(texts)} paragraphs, {sum(map(len, texts))} characters, {len(tokens)} tokens to train with; "
        f"{len(held_out)} paragraphs held out; {time.monotonic() - started:.0f} s",
        flush=True,
    )

    decoder = train(tokens)
    print(f"held-out perplexity as trained: {perplexity(decoder, held_out, vocabulary):.3f}")
    save_weights({name: matrix.numpy() for name, matrix in decoder.state_dict().items()})
    decoder.load_state_dict({name: torch.from_numpy(matrix) for name, matrix in load_weights().items()})
    parameters = sum(parameter.numel() for parameter in decoder.parameters())
    print(f"{parameters} parameters; held-out perplexity with int8 weights, as committed: ", end="")
    print(f"{perplexity(decoder, held_out, vocabulary):.3f}; {time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
