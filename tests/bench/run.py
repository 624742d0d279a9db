# SPDX-License-Identifier: Apache-2.0
"""Measures the bench: `python tests/bench/run.py [--only PART] [--json FILE]`. See README.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from images import BENCH
from machine import machine_facts
from parts import PARTS
from results import Part, earlier_figures, print_table
from rich.console import Console

from pilotlight.errors import ConfigError, PilotlightError
from pilotlight.files import write_atomically


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be given several times")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="mark what changed since the run that wrote FILE")
    parser.add_argument("--json", type=Path, help="where to keep the figures (default: build/bench/results.json)")
    return parser.parse_args()


def _measure(name: str, console: Console) -> Part:
    """Measure one part. If the measurement fails, the other parts still run."""
    console.rule(name, align="left")
    try:
        return Part(name, tuple(PARTS[name](console)))
    except PilotlightError as error:
        console.print(f"error: {error.report()}", style="red", highlight=False)
        return Part(name, failed=str(error))
    except Exception as error:
        console.print_exception(max_frames=4)
        return Part(name, failed=f"{type(error).__name__}: {error}")


def _earlier(file: Path) -> dict[tuple[str, str], float]:
    try:
        return earlier_figures(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file}: cannot be compared with ({error})", hint="a file that --json wrote") from error


def main() -> int:
    args = _arguments()
    try:
        earlier = None if args.compare is None else _earlier(args.compare)
    except ConfigError as error:
        print(f"error: {error.report()}", file=sys.stderr)
        return error.exit_code
    names = [name for name in PARTS if not args.only or name in args.only]
    default = "results.json" if not args.only else f"results-{'-'.join(names)}.json"
    file: Path = args.json or BENCH / default
    # In files and pipes, the table has its full width.
    console = Console(width=None if sys.stdout.isatty() else 140)
    machine = machine_facts()
    parts = [_measure(name, console) for name in names]
    print_table(console, parts, machine, earlier)
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {"schema": 1, "machine": machine, "parts": {part.name: part.as_json() for part in parts}}
    write_atomically(file, json.dumps(record, indent=2) + "\n")
    console.print(f"kept in {file}", highlight=False)
    return 1 if any(part.failed for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
