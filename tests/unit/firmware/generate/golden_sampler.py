# SPDX-License-Identifier: Apache-2.0
"""Writes logits, settings, and the tokens that Python's sampler chooses, as a C++ header.

golden_sampler.py FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pilotlight.generate.sampler import Sampler, weights_for

DRAWS = 40
# Scale of the logits, temperature, top k, seed, number of tokens, lowest and highest logit.
CASES = (
    (0.05, 0.0, 0, 0, 30, -128, 127),
    (0.05, 1.0, 0, 0, 256, -128, 127),
    (0.05, 1.0, 5, 1, 256, -128, 127),
    (0.2, 0.7, 40, 2**64 - 1, 512, -20, 30),
    (0.1, 2.0, 3, 7, 9, -128, -126),
    (0.1, 1.0, 1, 7, 64, 0, 3),
    (0.1, 1.0, 200, 8, 64, -128, 127),
    (0.3, 100.0, 0, 9, 1, 5, 5),
)


def array(kind: str, name: str, values: list[int], suffix: str = "") -> str:
    numbers = ", ".join(f"{value}{suffix}" for value in values)
    return f"inline constexpr {kind} {name}[] = {{{numbers}}};\n"


def main() -> None:
    random = np.random.default_rng(11)
    out = ["#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\nnamespace golden {\n\n"]
    rows = []
    for number, (scale, temperature, top_k, seed, tokens, low, high) in enumerate(CASES):
        logits = random.integers(low, high + 1, (DRAWS, tokens), dtype=np.int8)
        weights = weights_for(scale, temperature) if temperature else ()
        sampler = Sampler(weights, top_k, seed)
        chosen = [sampler.choose(row) for row in logits]
        out.append(array("std::int8_t", f"kLogits{number}", logits.reshape(-1).tolist()))
        out.append(array("std::uint32_t", f"kWeights{number}", list(weights) or [0], "u"))
        out.append(array("std::size_t", f"kTokens{number}", chosen))
        rows.append(
            f"    {{kLogits{number}, {tokens}, kWeights{number}, {str(bool(weights)).lower()}, {top_k}, {seed}u, "
            f"kTokens{number}}},\n"
        )
    out.append(
        "\nstruct Case {\n  const std::int8_t* logits;\n  std::size_t vocabulary;\n  const std::uint32_t* weights;\n"
        "  bool samples;\n  std::size_t top_k;\n  std::uint64_t seed;\n  const std::size_t* tokens;\n};\n"
        f"inline constexpr std::size_t kDraws = {DRAWS};\ninline constexpr Case kCases[] = {{\n{''.join(rows)}}};\n\n"
        "}  // namespace golden\n"
    )
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    Path(sys.argv[1]).write_text("".join(out), encoding="utf-8")


if __name__ == "__main__":
    main()
