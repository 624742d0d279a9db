# SPDX-License-Identifier: Apache-2.0
"""Writes description.h and description.cpp: features.toml and its tables, as C++ constants.

    python generate_description.py --model python/models/kws --out FOLDER

`--model` is the folder of features.toml, features.py and decision.py. Training uses the same files.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

HEAD = "// SPDX-License-Identifier: Apache-2.0\n// Generated from features.toml: the next build overwrites it.\n"
NAMESPACE = "namespace pilotlight::keyword_spotting::description {\n"


def numbers(values: Iterable[float]) -> str:
    """Return the values as C++ floats. Nine digits are enough to read back the same float32."""
    return ", ".join(f"{np.float32(value):.9g}f" if np.float32(value) % 1 else f"{value:.1f}f" for value in values)


def wrapped(text: str) -> str:
    """Break a list of numbers into lines."""
    parts = text.split(", ")
    return ",\n".join("    " + ", ".join(parts[i : i + 8]) for i in range(0, len(parts), 8))


def table(kind: str, name: str, count: int, body: str) -> str:
    return f"const {kind} {name}[{count}] = {{\n{wrapped(body)},\n}};\n"


def bands(filters: np.ndarray) -> tuple[list[tuple[int, int, int]], list[float]]:
    """Return for each filter its first bin, number of bins and first weight, and then all weights.

    Bins outside the filter's triangle have weight 0 and are left out.
    """
    places, weights = [], []
    for row in filters:
        inside = np.flatnonzero(row)
        first, end = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
        places.append((int(first), int(end - first), len(weights)))
        weights += row[first:end].tolist()
    return places, weights


def header(constants: Sequence[tuple[str, str, object]], arrays: Sequence[tuple[str, str, int]], fft: int) -> str:
    lines = [HEAD, "#pragma once\n\n#include <cstdint>\n\n", NAMESPACE, "\n"]
    lines += [f"inline constexpr {kind} {name} = {value};\n" for kind, name, value in constants]
    lines.append("\n// A triangle on the mel axis. It has a weight for each bin inside it.\n")
    lines.append("struct MelBand {\n  std::uint16_t first_bin;\n  std::uint16_t bins;\n")
    lines.append("  std::uint16_t first_weight;\n};\n\n")
    lines += [f"extern const {kind} {name}[{count}];\n" for kind, name, count in arrays]
    lines.append("\n}  // namespace pilotlight::keyword_spotting::description\n\n")
    lines.append("// This name decides which table of twiddle factors the linker takes.\n")
    lines.append(f"#define KEYWORD_SPOTTING_RFFT_INIT arm_rfft_fast_init_{fft}_f32\n")
    return "".join(lines)


def generate(model: Path, out: Path) -> None:
    sys.path.insert(0, str(model))
    features, decision = importlib.import_module("features"), importlib.import_module("decision")
    path = model / "features.toml"
    mfcc, labels = features.load_description(path)
    rules = decision.load_decision(path)
    places, weights = bands(features.mel_filters(mfcc))
    unknown = set(rules.not_keywords) - set(labels)
    if unknown:
        sys.exit(f"error: {path}: [decision] not_keywords: no such label: {', '.join(sorted(unknown))}")

    u32 = "std::uint32_t"
    constants = [
        ("std::uint32_t", "kCrc32", f"0x{zlib.crc32(path.read_bytes()):08X}"),
        (u32, "kSampleRateHz", mfcc.sample_rate_hz),
        (u32, "kWindowSamples", mfcc.window_samples),
        (u32, "kHopSamples", mfcc.hop_samples),
        (u32, "kFftSamples", mfcc.fft_samples),
        (u32, "kMelBands", mfcc.mel_bands),
        (u32, "kCoefficients", mfcc.coefficients),
        (u32, "kFrames", mfcc.frames),
        ("float", "kLogOffset", numbers([mfcc.log_offset])),
        (u32, "kClasses", len(labels)),
        (u32, "kInferenceHopFrames", rules.hop_frames),
        (u32, "kAveragedInferences", rules.averaged_inferences),
        ("float", "kThreshold", numbers([rules.threshold])),
        (u32, "kRefractorySamples", rules.refractory_samples),
    ]
    is_keyword = ", ".join(str(label not in rules.not_keywords).lower() for label in labels)
    places_text = ", ".join(f"{{{first}|{count}|{at}}}" for first, count, at in places)
    arrays = [
        ("float", "kWindow", mfcc.window_samples, numbers(features.window(mfcc))),
        ("MelBand", "kMelFilters", mfcc.mel_bands, places_text),
        ("float", "kMelWeights", len(weights), numbers(weights)),
        ("float", "kDct", mfcc.coefficients * mfcc.mel_bands, numbers(features.dct_matrix(mfcc).ravel())),
        ("float", "kOffset", mfcc.coefficients, numbers(mfcc.offset)),
        ("float", "kScale", mfcc.coefficients, numbers(mfcc.scale)),
        ("char* const", "kLabels", len(labels), ", ".join(json.dumps(label) for label in labels)),
        ("bool", "kIsKeyword", len(labels), is_keyword),
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "description.h").write_text(
        header(constants, [array[:3] for array in arrays], mfcc.fft_samples), encoding="utf-8"
    )
    tables = "\n".join(table(*array).replace("|", ", ") for array in arrays)
    (out / "description.cpp").write_text(
        f'{HEAD}#include "description.h"\n\n{NAMESPACE}\n{tables}\n}}  // namespace\n', encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    generate(arguments.model, arguments.out)


if __name__ == "__main__":
    main()
