# SPDX-License-Identifier: Apache-2.0
"""`pilotlight simulate`: runs a .pte on the host, without firmware, on the simulated NPU."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.errors import BadProgram, ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pilotlight.npu.layers import Layer
    from pilotlight.npu.simulate_report import Simulated
    from pilotlight.npu.simulation import Simulator


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "simulate",
        help="run a .pte on the simulated NPU, without firmware",
        description="Run one inference of an ExecuTorch program on this computer. The simulated NPU runs the Ethos-U "
        "delegates, PyTorch runs the CPU operators.",
    )
    parser.add_argument("model", type=Path, help=".pte file")
    parser.add_argument(
        "--input", type=Path, action="append", default=[], metavar="X.npy", help="NumPy array; give one per input"
    )
    parser.add_argument(
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="Y.npy",
        help="file to write; give one per output",
    )
    parser.add_argument(
        "--sequence",
        action="store_true",
        help="run several inferences, each with the state of the previous one; the first axis of inputs and outputs "
        "counts inferences; layers, trace and dumps show the last inference",
    )
    parser.add_argument("--npu", metavar="CONFIG", help="require this NPU, for example ethos-u55-128")
    parser.add_argument("--trace", type=Path, metavar="TRACE.json", help="write a Chrome/Perfetto trace")
    parser.add_argument(
        "--layers", action="store_true", help="print a table of the NPU's commands; cycles are estimates"
    )
    parser.add_argument(
        "--dump-layer",
        action="append",
        nargs=2,
        default=[],
        metavar=("N", "OUT.npy"),
        help="write the output of command N of the table, height x width x channels; may be repeated",
    )
    parser.add_argument(
        "--check-hazards",
        action="store_true",
        help="also report missing waits and reads of unwritten memory; exit code 12 if there are any",
    )
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON, and no progress")
    parser.set_defaults(handler=_run)
    return parser


class _ProgressLine:
    """A line on the terminal that shows the progress of a run of more than a second."""

    _QUIET_S = 1.0
    _INTERVAL_S = 0.2

    def __init__(self) -> None:
        self._next = time.monotonic() + self._QUIET_S
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next, self._shown = now + self._INTERVAL_S, True
            print(f"\roperation {done} of {total}", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class _Dumps:
    """An observer that keeps the outputs of chosen commands.

    wanted: pairs of a command's number and a path, as the user typed them.
    """

    def __init__(self, wanted: Sequence[tuple[str, str]]) -> None:
        self.taken: list[tuple[Path, NDArray[Any]]] = []
        self._wanted: dict[int, list[Path]] = {}
        for number, path in wanted:
            if not number.isdecimal() or int(number) == 0:
                raise ConfigError(f"--dump-layer {number}: commands are numbered from 1", hint="--layers lists them")
            self._wanted.setdefault(int(number), []).append(Path(path))

    def __call__(self, layer: Layer, output: Callable[[], NDArray[Any]]) -> None:
        for path in self._wanted.get(layer.number, ()):
            ofm = layer.operation.ofm
            if ofm is not None and (ofm.is_chained or layer.operation.keeps):
                raise ConfigError(
                    f"--dump-layer {layer.number}: the output of this {layer.executed.name} stays inside the NPU",
                    hint="dump a later command, which writes to memory",
                )
            self.taken.append((path, output()))

    def check(self, operations: int) -> None:
        for number in self._wanted:
            if number > operations:
                raise ConfigError(
                    f"--dump-layer {number}: the program has {operations} commands", hint="--layers lists them"
                )


def _save(path: Path, array: NDArray[Any]) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, array)


def _run(args: argparse.Namespace) -> int:
    from pilotlight.npu.simulate_report import as_json, as_text
    from pilotlight.npu.simulation import Simulator

    simulator = Simulator(args.model, args.npu)
    inputs = [_load(path) for path in args.input]
    outputs = simulator.method.output_values
    if len(args.output) > len(outputs):
        raise ConfigError(f"--output: the program has {len(outputs)} outputs, not {len(args.output)}")
    dumps = _Dumps(args.dump_layer)
    simulated = _simulate(simulator, inputs, args, dumps)
    dumps.check(simulated.statistics.operations)
    _write_files(args, dumps, simulated)
    hazards = _named_hazards(simulator) if args.check_hazards else None
    if args.json:
        print(json.dumps(as_json(simulated, hazards, layers=args.layers), indent=2))
    else:
        print(as_text(simulated, hazards or (), layers=args.layers, sequence=args.sequence, files=args.output))
    if hazards:
        raise BadProgram(
            f"{len(hazards)} hazards in the command stream; the first: {hazards[0]}",
            hint="`pilotlight disassemble` shows the commands around it",
        )
    if args.check_hazards and not args.json:
        print("no hazards")
    return 0


def _simulate(
    simulator: Simulator, inputs: Sequence[NDArray[Any]], args: argparse.Namespace, dumps: _Dumps
) -> Simulated:
    """Run all inferences. `dumps` observes the last one."""
    import numpy as np

    from pilotlight.npu.simulate_report import Simulated

    progress = None if args.json or not sys.stderr.isatty() else _ProgressLine()
    start = time.perf_counter()
    steps = _steps(inputs) if args.sequence else [inputs]
    answers = []
    try:
        for number, step in enumerate(steps):
            last = number == len(steps) - 1
            result = simulator.run(step, progress, dumps if last else None, continues=number > 0)
            answers.append(result.outputs)
    finally:
        if progress is not None:
            progress.finish()
    seconds = time.perf_counter() - start
    found = [np.stack(rows) for rows in zip(*answers, strict=True)] if args.sequence else list(answers[0])
    return Simulated(simulator, result, found, len(steps), seconds)


def _write_files(args: argparse.Namespace, dumps: _Dumps, simulated: Simulated) -> None:
    from pilotlight.npu.trace import write_trace

    try:
        for path, array in dumps.taken:
            _save(path, array)
        for path, array in zip(args.output, simulated.outputs, strict=False):
            _save(path, array)
        if args.trace is not None:
            write_trace(simulated.statistics, args.trace)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error


def _steps(inputs: Sequence[NDArray[Any]]) -> list[list[NDArray[Any]]]:
    """Return the inputs of each inference of a sequence."""
    lengths = {array.shape[0] if array.ndim else 0 for array in inputs}
    if len(lengths) != 1 or 0 in lengths:
        raise ConfigError(
            "--sequence: the first axis of the inputs counts inferences, but has the lengths "
            f"{', '.join(map(str, sorted(lengths)))}"
            if lengths
            else "--sequence: without an input, the number of inferences is not known",
            hint="stack the inputs of all inferences with numpy.stack",
        )
    return [[array[step] for array in inputs] for step in range(lengths.pop())]


def _named_hazards(simulator: Simulator) -> list[str]:
    """Return the hazards as text, with the delegate if there are several."""
    delegates = simulator.hazards_by_delegate()
    return [
        f"delegate {number}: {hazard}" if len(delegates) > 1 else str(hazard)
        for number, hazards in enumerate(delegates)
        for hazard in hazards
    ]


def _load(path: Path) -> Any:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"--input {path}: {error}", hint="give a file written by numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise ConfigError(f"--input {path}: holds several arrays", hint="give one .npy file per input")
    return array
