# SPDX-License-Identifier: Apache-2.0
"""Exports known networks, runs each on the simulated NPU, and prints the results as a table.

    python tests/zoo/run_zoo.py [MODEL ...] [--npu ethos-u55-256] [--json FILE] [--keep FOLDER]
    python tests/zoo/run_zoo.py --markdown tests/zoo/NETWORKS.md --json FILE

MODEL is a file's name in tests/zoo/models, without .py; the default is all of them. Each model is
exported by the command that users type, in a process of its own. `--markdown` runs nothing; it
writes the page from the results in FILE.

Exit code 1: a model was refused, or its loss is above `LOSS_LIMIT_DB`, or the simulator's output is
not the golden one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pilotlight.bundle import load_model_info
from pilotlight.check.compare import compare_output
from pilotlight.npu import Simulator

MODELS = Path(__file__).resolve().parent / "models"
NPU = "ethos-u55-256"
# The largest allowed loss of golden against quantised PyTorch. Both are measured against FP32.
LOSS_LIMIT_DB = 1.0
# Operators that look up tables or prepare arguments, in the edge dialect's names. The NPU lacks
# these operators, or lacks them for these integers, so models with token numbers keep them on the
# CPU.
CONVERSIONS = (
    "aten.embedding",
    "quantized_decomposed.quantize_per_tensor",
    "quantized_decomposed.dequantize_per_tensor",
)
# The operators that an embedding consists of. Only the source line shows whether they belong to an
# embedding.
LOOK_UPS = ("aten.index_select", "aten.view_copy", "dim_order_ops._to_dim_order_copy")
_EXPORT_LIMIT_S = 3600
_PAGE = """\
# Networks that work

{count} networks known from papers and packages, each exported for {npu} by one command and
without changes to the network. The model files are in [models](models). These commands make the
table again, in about an hour:

    python tests/zoo/run_zoo.py --json zoo.json
    python tests/zoo/run_zoo.py --json zoo.json --markdown tests/zoo/NETWORKS.md

- On CPU: operators on the CPU, except embeddings and the operators that prepare their integers.
- Arguments: those exceptions.
- Quantised, golden: signal-to-noise ratio against FP32 of quantised PyTorch, and of the golden
  outputs. The NPU simulator computed the golden outputs for every sample.
- Cycles: Vela's estimate. Export: time on one core of a shared machine, an upper bound.

The weights are random. With random weights, some deep networks keep few dB after quantisation.

| Network | On CPU | Arguments | Quantised | Golden | Cycles | Export |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Entry:
    """The results of one model.

    error: the message when the export refused the model, else "".
    seconds: duration of the export.
    on_cpu: operators on the CPU with their reasons, without embeddings and argument handling.
    arguments: embeddings and argument handling on the CPU.
    quantised_db, golden_db: signal to noise ratio against FP32, of the output with most loss.
    loss_db: how far golden is behind quantised PyTorch at that output.
    agrees: whether the simulator's outputs are the golden ones, within their tolerance.
    cycles: Vela's estimate.
    """

    name: str
    error: str = ""
    seconds: float = 0.0
    delegates: int = 0
    on_cpu: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    quantised_db: float = 0.0
    golden_db: float = 0.0
    loss_db: float = 0.0
    agrees: bool = False
    cycles: int = 0

    @property
    def passed(self) -> bool:
        return not self.error and self.agrees and self.loss_db <= LOSS_LIMIT_DB

    @property
    def whole(self) -> bool:
        """Whether the NPU computes everything but argument handling."""
        return not self.error and not self.on_cpu and self.delegates > 0


def names() -> list[str]:
    return sorted(file.stem for file in MODELS.glob("[!_]*.py"))


def judge(name: str, npu: str, folder: Path) -> Entry:
    """Export the model to `folder`, run its samples on the simulated NPU, return the results."""
    command = [sys.executable, "-m", "pilotlight", "export", str(MODELS / f"{name}.py")]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--npu", npu, "-o", str(folder)],
        capture_output=True,
        text=True,
        timeout=_EXPORT_LIMIT_S,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        return Entry(name, done.stderr.strip() or f"exit code {done.returncode}", seconds)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    on_cpu, arguments = _on_cpu(report["operators"])
    quantised, golden, loss = max((accuracy(o) for o in report["outputs"]), key=lambda a: a[2])
    return Entry(
        name,
        seconds=seconds,
        delegates=len(report["delegates"]),
        on_cpu=on_cpu,
        arguments=arguments,
        quantised_db=quantised,
        golden_db=golden,
        loss_db=loss,
        agrees=simulator_agrees(folder),
        cycles=report["total_cycles"],
    )


def _on_cpu(operators: Iterable[dict[str, Any]]) -> tuple[dict[str, str], tuple[str, ...]]:
    others: dict[str, str] = {}
    arguments: list[str] = []
    for number, operator in enumerate(operators):
        if operator["delegate"] is not None:
            continue
        if _is_argument(operator):
            arguments.append(operator["name"])
        else:
            where = operator["inner_where"] or operator["where"]
            others[f"{number} {operator['name']} ({where})"] = operator["reason"]
    return others, tuple(arguments)


def _is_argument(operator: dict[str, Any]) -> bool:
    line = f"{operator['inner_source']} {operator['source']}"
    return (
        operator["name"].startswith(CONVERSIONS)
        or "64-bit integers" in operator["reason"]
        or (operator["name"].startswith(LOOK_UPS) and any(word in line for word in ("embed", "table", "input_ids")))
    )


def accuracy(output: dict[str, Any]) -> tuple[float, float, float]:
    """Return the ratios of quantised and golden in dB, and the loss of golden.

    A report has no ratio if the noise or the signal is zero. Without noise the ratio counts as
    infinite, without a signal as minus infinity.
    """
    quantised, golden = (_ratio(output, stage) for stage in ("quantised", "golden"))
    return quantised, golden, 0.0 if golden == np.inf else quantised - golden


def _ratio(output: dict[str, Any], stage: str) -> float:
    ratio = output[f"sqnr_{stage}_db"]
    if ratio is None:
        return np.inf if output[f"max_error_{stage}"] == 0.0 else -np.inf
    return float(ratio)


def simulator_agrees(folder: Path) -> bool:
    """Run every sample of the bundle, and judge the outputs against golden as `check` does."""
    info = load_model_info(folder)
    arrays = np.load(folder / "golden.npz")
    simulator = Simulator(folder / "model.pte")
    got: list[list[Any]] = [[] for _ in info.outputs]
    for number in range(len(arrays["golden_0"])):
        inputs = [spec.in_memory(arrays[f"input_{index}"][number]) for index, spec in enumerate(info.inputs)]
        outputs = simulator.run(inputs).outputs
        for row, spec, output in zip(got, info.outputs, outputs, strict=True):
            row.append(spec.from_memory(np.asarray(output)))
    for index, row in enumerate(got):
        golden = arrays[f"golden_{index}"]
        answers = np.stack(row).astype(golden.dtype).reshape(golden.shape)
        if compare_output(index, golden, answers, info.tolerance_of(index)).mismatches:
            return False
    return True


def table(entries: Iterable[Entry]) -> list[str]:
    lines = ["model                    export  delegates  on CPU  arguments  quantised   golden  simulator      cycles"]
    for entry in entries:
        if entry.error:
            lines.append(f"{entry.name:<24} REFUSED: {entry.error}")
            continue
        lines.append(
            f"{entry.name:<24} {entry.seconds:4.0f} s  {entry.delegates:9}  {len(entry.on_cpu):6}"
            f"  {len(entry.arguments):9}  {entry.quantised_db:6.1f} dB  {entry.golden_db:4.1f} dB  "
            f"{'equal' if entry.agrees else 'DIFFERS':>9}  {entry.cycles:10,}"
        )
        lines += [f"    {operator}: {why}" for operator, why in entry.on_cpu.items()]
    return lines


def page(entries: Iterable[Entry], npu: str) -> str:
    """Return the results as the page NETWORKS.md."""
    rows = [
        f"| `{entry.name}` | {len(entry.on_cpu) or '-'} | {len(entry.arguments) or '-'} "
        f"| {entry.quantised_db:.1f} dB | {entry.golden_db:.1f} dB | {entry.cycles:,} | {entry.seconds:.0f} s |"
        for entry in entries
        if entry.passed
    ]
    refused = [f"- `{entry.name}`: {entry.error or 'fails'}" for entry in entries if not entry.passed]
    head = _PAGE.format(count=len(rows), npu=npu)
    return "\n".join([head, *rows, *(["", "Refused or wrong:", "", *refused] if refused else []), ""])


def load(file: Path) -> list[Entry]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return [Entry(**{**fields, "arguments": tuple(fields["arguments"])}) for fields in entries]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SystemExit(f"{file}: {error}\n  try: python tests/zoo/run_zoo.py --json {file}") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="*", help="default: all")
    parser.add_argument("--npu", default=NPU)
    parser.add_argument("--json", type=Path, help="write the result of each model to this file")
    parser.add_argument("--keep", type=Path, help="keep the bundles in this folder")
    parser.add_argument("--markdown", type=Path, help="write a page from the file that --json names, and run nothing")
    args = parser.parse_args()
    if args.markdown is not None:
        if args.json is None:
            parser.error("--markdown needs --json FILE, which an earlier run wrote")
        args.markdown.write_text(page(load(args.json), args.npu), encoding="utf-8")
        return 0
    unknown = sorted(set(args.model) - set(names()))
    if unknown:
        parser.error(f"{', '.join(unknown)}: not in {MODELS}; there are {', '.join(names())}")
    entries: list[Entry] = []
    with tempfile.TemporaryDirectory(prefix="pilotlight-zoo-") as temporary:
        for name in args.model or names():
            entries.append(judge(name, args.npu, (args.keep or Path(temporary)) / name))
            first = not entries[1:]
            print("\n".join(table(entries[-1:])[0 if first else 1 :]), flush=True)
            if args.json is not None:
                text = json.dumps([asdict(entry) for entry in entries], indent=1)
                args.json.write_text(text + "\n", encoding="utf-8")
    passed, whole = sum(e.passed for e in entries), sum(e.whole for e in entries)
    print(f"{passed} of {len(entries)} passed; {whole} leave nothing but arguments on the CPU")
    return 0 if passed == len(entries) else 1


if __name__ == "__main__":
    sys.exit(main())
