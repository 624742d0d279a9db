# SPDX-License-Identifier: Apache-2.0
"""Measures all operators of upstream's list on an NPU, and writes a table.

    python tests/operators/run_operators.py       on Ethos-U85-256, in two memory modes
    python tests/operators/run_operators.py --npu ethos-u55-128 --mode Shared_Sram
    python tests/operators/run_operators.py --only portable/softmax
    python tests/operators/run_operators.py --markdown tests/operators/U85.md

Results are kept in build/operators.jsonl, and operators that are there already are not measured
again; --fresh removes the file first. An operator that ends its process, or takes too long, is a
result too. The run takes some ten minutes, and three more for the firmware on Ethos-U85.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "emulator" / "upstream")]

_BATCH = 20
_LIMIT_S = 120
# SQNR below which the loss is called one of quantisation.
_GOOD_DB = 20.0
_REASON_LENGTH = 90
_WIDTH = 100


def measured(path: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the results of earlier runs. A line that was cut off does not count."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[result["key"], result["npu"], result["memory_mode"]] = result
    return found


def run_batch(npu: str, mode: str, image: str, keys: list[str], path: Path) -> None:
    """Measure operators in one process, and again one by one if the process ends early."""
    command = [sys.executable, str(HERE / "measure_operators.py"), npu, mode, image, *keys]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S * len(keys))
        output, reason = run.stdout, f"the process ended with {run.returncode}"
    except subprocess.TimeoutExpired as expired:
        output, reason = (expired.stdout or b"").decode(errors="replace"), f"no result within {_LIMIT_S} s"
    lines = [line for line in output.splitlines() if line.startswith("{")]
    done = {json.loads(line)["key"] for line in lines}
    left = [key for key in keys if key not in done]
    if left and len(keys) == 1:
        lines.append(json.dumps({"key": keys[0], "npu": npu, "memory_mode": mode, "error": reason}))
        left = []
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    for key in left:
        run_batch(npu, mode, image, [key], path)


def firmware_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return how many values the firmware computes differently from the simulated program."""
    rows = list(rows)
    for row in rows:
        if row["firmware_error"]:
            return str(row["firmware_error"])[:_REASON_LENGTH]
    wrong, compared = (sum(row[name] for row in rows) for name in ("firmware_wrong", "firmware_values"))
    return f"{wrong} of {compared:,}" if compared else ""


def verdict(results: Iterable[Mapping[str, Any]]) -> str:
    """Say where an operator's result first differs from float PyTorch. results: by memory mode."""
    results = list(results)
    for result in results:
        if result["error"]:
            return f"no program: {result['error'][:_REASON_LENGTH]}"
    first = results[0]
    if not first["delegates"]:
        return "not delegated"
    if any(result["tosa_wrong"] for result in results):
        return "Vela"
    if first["deviations"]:
        return "known deviation"
    if any(result["firmware_wrong"] for result in results):
        return "firmware"
    if any(result["program_wrong"] for result in results):
        steps = max(result["program_steps"] for result in results)
        return "lowering, one step" if steps <= 1.01 else f"lowering, {steps:.0f} steps"
    decibels = first["quantisation_db"]
    if decibels is not None and decibels < _GOOD_DB:
        return "quantisation"
    return "-"


def table(results: Mapping[tuple[str, str, str], Mapping[str, Any]], npu: str, modes: list[str]) -> str:
    """Return a Markdown table with one row per operator."""
    head = ["operator", "delegates", "on the CPU", "outputs", "SQNR, dB", "TOSA: wrong of compared"]
    head += [
        "program: wrong, steps",
        "firmware: wrong of compared",
        "lost zeros: quantised, device",
        "differs first in",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    keys = sorted({key for key, name, mode in results if name == npu and mode in modes})
    for key in keys:
        rows = [results[key, npu, mode] for mode in modes if (key, npu, mode) in results]
        first = rows[0]
        if first["error"]:
            cells = ["", "", "", "", "", "", "", "", verdict(rows)]
        else:
            wrong, compared = (sum(row[name] for row in rows) for name in ("tosa_wrong", "tosa_values"))
            cells = [
                str(first["delegates"]),
                ", ".join(name.removeprefix("aten::") for name in first["on_cpu"]),
                str(first["outputs"]),
                "exact" if first["quantisation_db"] is None else str(first["quantisation_db"]),
                f"{wrong} of {compared:,}",
                f"{max(row['program_wrong'] for row in rows)}, {max(row['program_steps'] for row in rows):.0f}",
                firmware_text(rows),
                f"{first['zeros_quantised']}, {max(row['zeros_device'] for row in rows)}",
                verdict(rows),
            ]
        lines.append("| " + " | ".join([key, *cells]) + " |")
    return "\n".join(lines)


def summary(results: Mapping[tuple[str, str, str], Mapping[str, Any]], npu: str, modes: list[str]) -> str:
    rows = [result for (_, name, mode), result in results.items() if name == npu and mode in modes]
    done = [row for row in rows if not row["error"]]
    delegated = [row for row in done if row["delegates"]]
    whole = [row for row in delegated if not row["on_cpu"]]
    values = sum(row["outputs"] for row in delegated)
    run = [row for row in delegated if not row["deviations"]]
    other = "; ".join(
        f"{what}: {sum(row[f'{name}_deviate'] > 0 for row in run)} of {len(run)} programs deviate by more than two "
        f"steps, and {sum(row[f'{name}_zeros'] / row['outputs'] for row in run) / max(1, len(run)):.0%} of an "
        "operator's values are zero instead"
        for name, what in (("ones", "Inputs of ones"), ("cleared", "inputs that the NPU reads as zero bytes"))
    )
    return (
        f"{len(rows)} programs in {' and '.join(modes)}: {len(done)} compile, {len(delegated)} use the NPU, "
        f"{len(whole)} without CPU operators. TOSA: {sum(row['tosa_wrong'] for row in delegated)} of "
        f"{sum(row['tosa_values'] for row in delegated):,} values differ. "
        f"Firmware: {sum(row['firmware_wrong'] for row in delegated)} of "
        f"{sum(row['firmware_values'] for row in delegated):,} values differ from the simulated program's, and "
        f"{sum(bool(row['firmware_error']) for row in delegated)} programs end with an error. "
        f"Zeros where float PyTorch has none: {sum(row['zeros_quantised'] for row in delegated)} of {values:,} in "
        f"quantised PyTorch, {sum(row['zeros_device'] for row in delegated)} on the simulated device. {other}."
    )


def main() -> int:
    from operator_recipes import RECIPES
    from run_upstream import build_runner

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npu", default="ethos-u85-256")
    parser.add_argument("--mode", action="append", help="memory mode; may be repeated")
    parser.add_argument("--only", action="append", choices=sorted(RECIPES), metavar="KEY", help="one operator")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "operators.jsonl")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    args = parser.parse_args()
    modes, keys = args.mode or ["Sram_Only", "Shared_Sram"], args.only or list(RECIPES)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    if args.fresh:
        args.results.unlink(missing_ok=True)
    known = measured(args.results)
    image = str(build_runner(ROOT / "build" / "executor_runner")) if "u85" in args.npu else "-"
    for mode in modes:
        left = [key for key in keys if (key, args.npu, mode) not in known]
        for at in range(0, len(left), _BATCH):
            print(f"{args.npu}, {mode}: {at} of {len(left)} measured", flush=True)
            run_batch(args.npu, mode, image, left[at : at + _BATCH], args.results)
    results = measured(args.results)
    total = "\n".join(textwrap.wrap(summary(results, args.npu, modes), _WIDTH))
    text = f"{table(results, args.npu, modes)}\n\n{total}\n"
    print(text)
    if args.markdown:
        args.markdown.write_text(f"# Operators on {args.npu}\n\n{text}", encoding="utf-8")
    wrong = [row for row in results.values() if row.get("tosa_wrong") or row.get("firmware_wrong")]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
