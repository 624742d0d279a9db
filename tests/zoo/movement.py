# SPDX-License-Identifier: Apache-2.0
"""Measures how much of a network's work on the NPU only moves data.

    python tests/zoo/movement.py                    all networks, and the digits; about two hours
    python tests/zoo/movement.py tcn autoencoder    these networks
    python tests/zoo/movement.py --markdown tests/zoo/MOVEMENT.md --json movement.json

Each network is exported twice: without the rewritings of pilotlight.export.rewritings.flattening,
and with them. A command only moves data if it copies a feature map, or if it is a pool of one
position that keeps scale and zero point. Copies of weights to the internal memory do not count.
Cycles are the simulator's estimate, without running the network.

Networks whose packages (requirements.txt) are missing are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_EXPORT_LIMIT_S = 3600
# Vela writes 1 as 2**31 + 1 over 2**31, which leaves integers of 16 bits as they are.
_NO_SCALE = 2**-20
# The constants of a delegate. Copies from there bring weights closer to the NPU.
_CONSTANTS = 0


@dataclass(frozen=True)
class Movement:
    """Of all commands of a network, and of those that only move data: number, cycles, bytes."""

    commands: int
    cycles: int
    stream_bytes: int
    moving_commands: int
    moving_cycles: int
    moving_bytes: int


def movement(pte: bytes) -> Movement:
    """Count the commands of a program. The network is simulated once, for the work of each."""
    import numpy as np

    from pilotlight.npu import Simulator

    simulator = Simulator(pte)
    inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in simulator.method.inputs]
    return counted((layer.operation, layer.executed.cycles.total) for layer in simulator.run(inputs).statistics.layers)


def counted(commands: Iterable[tuple[Any, int]]) -> Movement:
    """Count commands, given as operations and their cycles."""
    counts = dict.fromkeys(("commands", "cycles", "bytes", "moving_commands", "moving_cycles", "moving_bytes"), 0)
    before = 0
    for operation, cycles in commands:
        # A command's bytes are those since the command before it: they set its registers.
        size = operation.offset - before if operation.offset > before else operation.offset
        before = operation.offset
        for name, value in {"commands": 1, "cycles": cycles, "bytes": size}.items():
            counts[name] += value
            if _only_moves(operation):
                counts[f"moving_{name}"] += value
    return Movement(*counts.values())


def _only_moves(operation: Any) -> bool:
    from pilotlight.npu.stream.isa import PoolingMode
    from pilotlight.npu.stream.operations import Kind

    if operation.kind is Kind.COPY:
        return bool(operation.copy.source.piece.region != _CONSTANTS)
    kernel = operation.kernel
    if operation.kind is not Kind.POOL or operation.mode is not PoolingMode.AVERAGE or kernel is None:
        return False
    factor = operation.scale
    return (
        kernel.height == kernel.width == 1
        and factor is not None
        and abs(factor.multiplier / (1 << factor.shift) - 1) < _NO_SCALE
        and operation.table is None
        and operation.ifm.map.zero_point == operation.ofm.map.zero_point
    )


def _export(model: str, npu: str, folder: Path, *, rewritten: bool) -> bytes:
    command = [sys.executable, __file__, "--export", model, npu, str(folder)]
    done = subprocess.run(
        command if rewritten else [*command, "--plain"],
        capture_output=True,
        text=True,
        timeout=_EXPORT_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr.strip()[-500:]}")
    return (folder / "model.pte").read_bytes()


def _export_here(model: str, npu: str, folder: str, *, rewritten: bool) -> int:
    from pilotlight.errors import PilotlightError
    from pilotlight.export import ExportOptions, export_model
    from pilotlight.export.rewritings import apply, flattening

    if not rewritten:
        assert set(flattening.REWRITINGS) <= set(apply.REWRITINGS)
        apply.REWRITINGS = tuple(one for one in apply.REWRITINGS if one not in flattening.REWRITINGS)
    try:
        export_model(model, ExportOptions(npu=npu), Path(folder))
    except PilotlightError as error:
        print(error.report(), file=sys.stderr)
        return error.exit_code
    return 0


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def page(found: Mapping[str, tuple[Movement, Movement]], npu: str) -> str:
    """Return the table as Markdown."""
    rows = [
        f"| {name} | {_share(old.moving_cycles, old.cycles)} | {_share(new.moving_cycles, new.cycles)} "
        f"| {_share(old.moving_bytes, old.stream_bytes)} | {_share(new.moving_bytes, new.stream_bytes)} "
        f"| {old.moving_commands} of {old.commands} | {new.moving_commands} of {new.commands} "
        f"| {_share(old.cycles - new.cycles, old.cycles)} |"
        for name, (old, new) in sorted(found.items())
    ]
    return f"""\
# Work that only moves data

The share of the NPU's work that only moves data, for {npu}, in estimated cycles, in bytes
of commands, and in commands. *before* is without the rewritings of `linear` beside images. This
command makes the table again:

    python tests/zoo/movement.py --markdown tests/zoo/MOVEMENT.md \\
      {" ".join(sorted(found))}

| network | cycles before | after | bytes before | after | commands before | after | cycles saved |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _measure(names: Iterable[str], npu: str) -> dict[str, tuple[Movement, Movement]]:
    found = {}
    for name in names:
        model = str(HERE / "models" / f"{name}.py")
        with tempfile.TemporaryDirectory(prefix="pilotlight-movement-") as scratch:
            try:
                old, new = (
                    movement(_export(model if name != "digits" else name, npu, Path(scratch, str(on)), rewritten=on))
                    for on in (False, True)
                )
            except SystemExit as error:
                print(f"left out: {error}", flush=True)
                continue
        found[name] = old, new
        print(
            f"{name:24} cycles {_share(old.moving_cycles, old.cycles):>6} -> "
            f"{_share(new.moving_cycles, new.cycles):>6}, {old.cycles:,} -> {new.cycles:,}",
            flush=True,
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks in models/, or digits")
    parser.add_argument("--npu", default="ethos-u55-256")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--export", nargs=3, metavar=("MODEL", "NPU", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.export:
        model, npu, folder = arguments.export
        return _export_here(model, npu, folder, rewritten=not arguments.plain)
    known = ["digits", *sorted(file.stem for file in (HERE / "models").glob("[!_]*.py"))]
    unknown = sorted(set(arguments.names) - set(known))
    if unknown:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(known)}")
    found = _measure(arguments.names or known, arguments.npu)
    if arguments.json:
        record = {name: {"before": asdict(old), "after": asdict(new)} for name, (old, new) in found.items()}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(page(found, arguments.npu), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
