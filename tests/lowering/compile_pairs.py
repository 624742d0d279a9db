# SPDX-License-Identifier: Apache-2.0
"""Compiles generated graphs and shows which operators upstream's lowering gets wrong.

    python tests/lowering/compile_pairs.py --graphs 2000 --seed 1
    options: [--without-repair] [--json FILE [--resume]]

Each graph is compiled as an export would. The exporter compares every result of the NPU's program
with quantised PyTorch. Then the golden output is compared with quantised PyTorch once more, from
outside; each operator may add one step.

`--without-repair` leaves out the exporter's repair, to show upstream's own result. FILE is written
twice a minute. With `--resume`, graphs whose outcome is in FILE are not compiled again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pairs import Graph, graphs

from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.golden.golden import GoldenModel, quantised_values
from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising import quantise
from pilotlight.export.rewritings.apply import rewrite
from pilotlight.export.rewritings.softmax import rewrite_softmax
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.model_spec import ModelSpec

NPU = "ethos-u55-128"
_PROGRESS_S = 30.0
# PyTorch keeps some 2 MB of each graph.
_GRAPHS_OF_A_PROCESS = 250


@dataclass(frozen=True)
class Outcome:
    """The outcome of one graph.

    kept: operators that stayed on the CPU, and why.
    results, compared, furthest: as in OperatorAgreement.
    output_steps: largest difference at the output between golden and quantised PyTorch, in steps;
        None in float.
    error: the error that ended the export, "" when there was none.
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
        """Operators that would compute something else, which the exporter found."""
        return {name: why for name, why in self.kept.items() if "would compute something else" in why}

    @property
    def passed_unnoticed(self) -> bool:
        """Whether the output is further off than one rounding step per operator explains."""
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
            compile_spec = lower.compile_spec_for(resolve(NPU, None, None))
            attempts = Attempts(captured, spec, compile_spec, False, Path(folder) / "vela", steps, samples[:1])
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
    """Return the largest difference between golden and quantised PyTorch at the first output.

    The unit is a step of the output's scale. None when the output is not quantised.
    """
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


def _prepare(without_repair: bool) -> None:
    """Prepare this process: one thread, and the exporter's repair or none."""
    torch.set_num_threads(1)
    if without_repair:
        quantise.separate_activations = lambda converted: 0


@contextmanager
def _compiled(remaining: list[Graph], workers: int, without_repair: bool) -> Iterator[Iterable[Outcome]]:
    # A forked PyTorch would wait for threads that the copy does not have.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _prepare, (without_repair,), maxtasksperchild=_GRAPHS_OF_A_PROCESS) as pool:
        yield pool.imap(compile_graph, remaining)
        pool.close()
        pool.join()


def run(
    chosen: list[Graph], before: dict[str, Outcome], file: Path | None, workers: int, without_repair: bool
) -> list[Outcome]:
    """Compile the chosen graphs that are not in `before`, and return the outcomes of all.

    The file is written twice a minute and at the end.
    """
    outcomes = dict(before)
    told = began = time.monotonic()
    with _compiled([graph for graph in chosen if str(graph) not in before], workers, without_repair) as found:
        for outcome in found:
            outcomes[outcome.graph] = outcome
            if time.monotonic() - told > _PROGRESS_S:
                told = time.monotonic()
                print(f"  {len(outcomes)} of {len(chosen)} graphs, {told - began:.0f} s", flush=True)
                save(file, outcomes.values())
    save(file, outcomes.values())
    return [outcomes[str(graph)] for graph in chosen]


def save(file: Path | None, outcomes: Iterable[Outcome]) -> None:
    if file is not None:
        whole = file.with_name(f"{file.name}.new")
        whole.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1), encoding="utf-8")
        whole.replace(file)


def saved(file: Path, chosen: list[Graph]) -> dict[str, Outcome]:
    """Return the file's outcomes of these graphs, by graph; none when there is no file.

    Raises SystemExit when the file has another format.
    """
    if not file.exists():
        return {}
    wanted = {(str(graph), graph.number) for graph in chosen}
    try:
        outcomes = [Outcome(**fields) for fields in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{file} was not written by this script: {error}") from None
    return {outcome.graph: outcome for outcome in outcomes if (outcome.graph, outcome.number) in wanted}


def table(outcomes: list[Outcome]) -> list[str]:
    """Return the findings as lines.

    The lines list the deviations, the operators on the CPU with their reasons, and the faults that
    passed unnoticed.
    """
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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each graph's outcome to this file")
    parser.add_argument("--resume", action="store_true", help="with --json: keep what the file has")
    parser.add_argument("-n", "--workers", type=int, default=1, help="processes (default: 1)")
    args = parser.parse_args()
    if args.resume and args.json is None:
        parser.error("--resume needs --json FILE, which has what was found before")
    chosen = list(graphs(args.graphs, args.seed))
    before = saved(args.json, chosen) if args.resume else {}
    outcomes = run(chosen, before, args.json, args.workers, args.without_repair)
    print("\n".join(table(outcomes)))
    return 1 if any(outcome.passed_unnoticed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
