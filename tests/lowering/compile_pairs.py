# SPDX-License-Identifier: Apache-2.0
"""Compiles generated graphs and tells which operators upstream's lowering gets wrong.

    python tests/lowering/compile_pairs.py --graphs 2000 --seed 1 [--without-repair] [--json FILE]

Each graph is compiled as an export would. Every result of the NPU's program is held to quantised PyTorch. Then
the golden output is compared with quantised PyTorch's once more, from outside: each operator may add one step.
`--without-repair` leaves out what the exporter repairs, to show what upstream does alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pairs import Graph, graphs

from pilotlight.export import lower, quantise
from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.constants import fold_constants
from pilotlight.export.golden import GoldenModel, quantised_values
from pilotlight.export.noise import NoiseLog
from pilotlight.export.rewrites import rewrite
from pilotlight.export.rewrites_softmax import rewrite_softmax
from pilotlight.export.steps import Steps
from pilotlight.export.targets import resolve
from pilotlight.model_spec import ModelSpec

TARGET = "ethos-u55-128"
_PROGRESS_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """kept: operators that stayed on the CPU, and why. results, compared, furthest: as in OperatorAgreement.

    output_steps: largest difference between golden and quantised PyTorch at the output, in steps; None in float.
    error: what ended the export, "" when nothing did.
    """

    graph: str
    number: int
    kept: dict[str, str]
    results: int = 0
    compared: int = 0
    furthest: int = 0
    output_steps: float | None = None
    error: str = ""

    @property
    def deviations(self) -> dict[str, str]:
        """Operators that computed something else, and were found out."""
        return {name: why for name, why in self.kept.items() if "would compute something else" in why}

    @property
    def passed_unnoticed(self) -> bool:
        """Whether the output is further off than rounding in each of the operators before it explains."""
        return self.output_steps is not None and self.output_steps > self.results + 1


def compile_graph(graph: Graph) -> Outcome:
    """Compile one graph and compare its output."""
    samples = graph.calibration()
    spec = ModelSpec("graph", graph.module(), samples[0], list(samples))
    with tempfile.TemporaryDirectory(prefix="pilotlight-pairs-") as folder:
        log = NoiseLog(Path(folder) / "log")
        steps = Steps(log, lambda line: None)
        try:
            captured = quantise.capture(spec)
            fold_constants(captured.graph)
            rewrite(captured, spec.calibration)
            rewrite_softmax(captured, spec.calibration)
            target = lower.compile_spec_for(resolve(TARGET, None, None))
            attempts = Attempts(captured, spec, target, False, Path(folder) / "vela", steps, samples[:1])
            attempt = attempts.run()
            with log.captured():  # The reference model prints a warning at each call.
                output = output_steps(attempt, samples)
        except Exception as error:
            return Outcome(str(graph), graph.number, {}, error=f"{type(error).__name__}: {error}"[:300])
        finally:
            log.close()
    kept = {captured.operators[number].name: why for number, why in attempts.kept.items()}
    agreement = attempt.comparison.agreement()
    return Outcome(str(graph), graph.number, kept, agreement.results, agreement.compared, agreement.furthest, output)


def output_steps(attempt: Attempt, samples: list[tuple[torch.Tensor]]) -> float | None:
    """Return how far golden and quantised PyTorch are apart at the first output, in steps of its scale."""
    boundary = attempt.lowered.boundary
    golden = GoldenModel(attempt.lowered, sequence=False)
    grid = boundary.output_quantisation[0]
    if grid is None:
        return None
    furthest = 0.0
    with torch.no_grad():
        for sample in samples:
            expected = quantised_values([attempt.quantised.module(*sample)], boundary.output_quantisation)[0]
            got = golden(quantised_values(sample, boundary.input_quantisation))[0]
            furthest = max(furthest, float((expected.int() - got.int()).abs().max()))
    return furthest


def run(count: int, seed: int, say: Callable[[str], None]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    told = began = time.monotonic()
    for graph in graphs(count, seed):
        outcomes.append(compile_graph(graph))
        if time.monotonic() - told > _PROGRESS_S:
            told = time.monotonic()
            say(f"  {len(outcomes)} of {count} graphs, {told - began:.0f} s")
    return outcomes


def table(outcomes: list[Outcome]) -> list[str]:
    """Return the findings as lines: what deviated, what stayed on the CPU and why, what passed unnoticed."""
    compared = sum(outcome.compared for outcome in outcomes)
    results = sum(outcome.results for outcome in outcomes)
    steps = Counter(outcome.furthest for outcome in outcomes)
    lines = [
        f"{len(outcomes)} graphs; {compared} of {results} results compared; "
        f"furthest from PyTorch: {dict(sorted(steps.items()))} (steps: graphs)",
        f"{sum(not outcome.kept and not outcome.error for outcome in outcomes)} graphs are on the NPU as a whole",
    ]
    for title, found in (
        ("computed something else, found, and moved to the CPU", [list(o.deviations) for o in outcomes]),
        ("moved to the CPU for another reason", [sorted(o.kept.keys() - o.deviations.keys()) for o in outcomes]),
    ):
        counted = Counter(name for names in found for name in names)
        lines.append(f"{title}: " + (", ".join(f"{n} {name}" for name, n in counted.most_common()) or "none"))
    lines += [f"NOT EXPORTED {outcome.graph}: {outcome.error}" for outcome in outcomes if outcome.error]
    lines += [
        f"UNNOTICED {outcome.graph}: output off by {outcome.output_steps:g} steps after {outcome.results} results"
        for outcome in outcomes
        if outcome.passed_unnoticed
    ]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-repair", action="store_true")
    parser.add_argument("--json", type=Path, help="write each graph's outcome to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.without_repair:
        quantise.separate_activations = lambda converted: 0
    outcomes = run(args.graphs, args.seed, lambda line: print(line, flush=True))
    if args.json is not None:
        args.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1), encoding="utf-8")
    print("\n".join(table(outcomes)))
    return 1 if any(outcome.passed_unnoticed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
