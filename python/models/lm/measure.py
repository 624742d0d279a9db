# SPDX-License-Identifier: Apache-2.0
"""Measures what quantisation costs: the perplexity on held-out paragraphs.

    python python/models/lm/measure.py --npu ethos-u55-128
    python python/models/lm/measure.py --npu ethos-u85-256 --quantise a16w8

Compares the float step, quantised PyTorch, and the TOSA reference model, whose integers are those
of the device. The reference model is slow, so it gets the first paragraphs alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from model import HERE, paragraphs, trained, vocabulary
from network import Step
from perplexity import stepwise_perplexity
from samples import StepFunction
from torch import Tensor

from pilotlight.export.golden.golden import GoldenModel, quantised_values
from pilotlight.export.model.model_modules import importable
from pilotlight.export.model.steps import Steps
from pilotlight.export.preload import import_upstream
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.export_options import ExportOptions


@dataclass(frozen=True)
class Compiled:
    """The step in three forms, which all take and return real values.

    delegates: how many the NPU runs. on_cpu: the operators that it does not.
    """

    float32: StepFunction
    quantised: StepFunction
    golden: StepFunction
    delegates: int
    on_cpu: Sequence[Any]


@contextmanager
def compiled(npu: str, recipe: str | None = None) -> Iterator[Compiled]:
    """Yield the model, compiled for `npu` with a recipe. None: the model's own."""
    import_upstream()
    from pilotlight.export.compiled import compile_model

    with tempfile.TemporaryDirectory(prefix="pilotlight-lm-") as folder, importable(HERE):
        log = NoiseLog(Path(folder) / "measure.log")
        try:
            steps = Steps(log, lambda line: print(line, flush=True))
            model = compile_model(HERE / "model.py", ExportOptions(npu, quantisation=recipe), steps, Path(folder))
            lowered = model.attempt.lowered
            yield Compiled(
                Step(trained()).eval(),
                model.attempt.quantised.module,
                _golden(GoldenModel(lowered, sequence=False), lowered.boundary),
                len(lowered.delegates),
                lowered.on_cpu,
            )
        finally:
            log.close()


def _golden(golden: GoldenModel, boundary: Any) -> StepFunction:
    def step(*inputs: Tensor) -> list[Tensor]:
        stored = golden(quantised_values(inputs, boundary.input_quantisation))
        # An integer minus the zero point, times the scale.
        return [
            value if way is None else (value.float() - way[1]) * way[0]
            for value, way in zip(stored, boundary.output_quantisation, strict=True)
        ]

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npu", default="ethos-u55-128")
    parser.add_argument("--quantise", metavar="RECIPE", help="default: the model's own")
    parser.add_argument("--paragraphs", type=int, default=60, help="held-out paragraphs for quantised PyTorch")
    parser.add_argument("--golden", type=int, default=10, help="held-out paragraphs for the TOSA reference model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    words, embedding, texts = vocabulary(), trained().embedding.weight.detach(), paragraphs("heldout")
    with compiled(arguments.npu, arguments.quantise) as model:
        print(f"{model.delegates} delegates, {len(model.on_cpu)} operators on the CPU")

        def measure(name: str, step: StepFunction, count: int, reference: float | None) -> float:
            found = stepwise_perplexity(step, embedding, texts[:count], words)
            worse = "" if reference is None else f", {100 * (found / reference - 1):+.2f} %"
            print(f"{count} paragraphs, {name}: perplexity {found:.4f}{worse}", flush=True)
            return found

        for count, forms in (
            (arguments.paragraphs, {"quantised PyTorch": model.quantised}),
            (arguments.golden, {"quantised PyTorch": model.quantised, "TOSA reference": model.golden}),
        ):
            reference = measure("FP32", model.float32, count, None)
            for name, step in forms.items():
                measure(name, step, count, reference)


if __name__ == "__main__":
    main()
