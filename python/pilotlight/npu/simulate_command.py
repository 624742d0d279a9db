# SPDX-License-Identifier: Apache-2.0
"""`pilotlight simulate`: run a .pte on the host, its delegates on the simulated NPU, without firmware."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.errors import BadProgram, ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pilotlight.npu.layers import Layer
    from pilotlight.npu.simulation import Simulator


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "simulate",
        help="run a .pte on the simulated NPU, without firmware",
        description="Run one inference of an ExecuTorch program on this computer: what is delegated to an Ethos-U on "
        "the simulated NPU, CPU operators by PyTorch's kernels.",
    )
    parser.add_argument("model", type=Path, help=".pte file")
    parser.add_argument(
        "--input", type=Path, action="append", default=[], metavar="X.npy", help="NumPy array; once per input"
    )
    parser.add_argument(
        "--output", type=Path, action="append", default=[], metavar="Y.npy", help="where to write; once per output"
    )
    parser.add_argument(
        "--sequence",
        action="store_true",
        help="inputs have one more axis, the first, which counts inferences; state is carried from each to the next. "
        "So do outputs; what is said of commands is of the last inference",
    )
    parser.add_argument("--npu", metavar="CONFIG", help="require this NPU, for instance ethos-u55-128")
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
        help="write what command N of the table computes, height x width x channels; may be repeated",
    )
    parser.add_argument(
        "--check-hazards",
        action="store_true",
        help="also report missing waits, and reads of memory that nothing wrote; exit code 12 if there are any",
    )
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON, and no progress")
    parser.set_defaults(handler=_run)
    return parser


class _ProgressLine:
    """One line on a terminal, for runs that take more than a moment."""

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
    """An observer that keeps the outputs that were asked for."""

    def __init__(self, wanted: Sequence[tuple[str, str]]) -> None:
        self.taken: list[tuple[Path, NDArray[Any]]] = []
        self._wanted: dict[int, list[Path]] = {}
        for number, path in wanted:
            if not number.isdecimal() or int(number) == 0:
                raise ConfigError(f"--dump-layer {number}: not the number of a command, which count from 1")
            self._wanted.setdefault(int(number), []).append(Path(path))

    def __call__(self, layer: Layer, output: Callable[[], NDArray[Any]]) -> None:
        for path in self._wanted.get(layer.number, ()):
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
    import numpy as np

    from pilotlight.npu.layers import layer_records, layer_table
    from pilotlight.npu.simulation import Simulator
    from pilotlight.npu.trace import write_trace

    simulator = Simulator(args.model, args.npu)
    inputs = [_load(path) for path in args.input]
    outputs = simulator.method.output_values
    if len(args.output) > len(outputs):
        raise ConfigError(f"--output: the program has {len(outputs)} outputs, not {len(args.output)}")
    dumps = _Dumps(args.dump_layer)
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
    dumps.check(result.statistics.operations)
    try:
        for path, array in dumps.taken:
            _save(path, array)
        for path, array in zip(args.output, found, strict=False):
            _save(path, array)
        if args.trace is not None:
            write_trace(result.statistics, args.trace)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error

    statistics = result.statistics
    report: dict[str, Any] = {
        "npu": statistics.configuration,
        "operations": statistics.operations,
        "macs": statistics.macs,
        "estimated_cycles": statistics.cycles,
        "read_bytes": statistics.read_bytes,
        "written_bytes": statistics.written_bytes,
        "delegates": len(simulator.method.delegates),
        "cpu_kernels": simulator.cpu_kernels,
        "cpu_calls": dict(result.cpu_calls),
        "inferences": len(steps),
        "state_bytes": simulator.state_bytes,
        "simulated_in_s": round(seconds, 4),
        "outputs": [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in found],
    }
    if args.layers:
        report["layers"] = layer_records(statistics.layers)
    hazards = _named_hazards(simulator) if args.check_hazards else []
    if args.check_hazards:
        report["hazards"] = hazards
    if args.json:
        print(json.dumps(report, indent=2))
        _refuse(hazards)
        return 0
    print(
        f"{statistics.configuration}: {statistics.operations} operations, {statistics.macs:,} MACs, "
        f"about {statistics.cycles:,} cycles; simulated in {seconds:.2f} s"
    )
    if result.cpu_calls:
        print(_about_cpu(simulator.cpu_kernels, result.cpu_calls))
    if simulator.state_bytes:
        begin = "began with its initial values"
        carried = f", carried over {len(steps)} inferences" if args.sequence else ""
        print(f"state: {simulator.state_bytes:,} bytes, {begin}{carried}")
    if args.layers:
        print(layer_table(statistics.layers))
        if simulator.debug is None:
            print("no debug.json of this program beside it: operators and source lines are not known")
    for position, array in enumerate(found):
        where = f" -> {args.output[position]}" if position < len(args.output) else ""
        print(f"output {position}: {array.dtype.name}{list(array.shape)}{where}")
        if not where:
            print(np.array2string(array, threshold=64))
    for hazard in hazards:
        print(hazard)
    _refuse(hazards)
    if args.check_hazards:
        print("no hazards")
    return 0


def _steps(inputs: Sequence[NDArray[Any]]) -> list[list[NDArray[Any]]]:
    """Take the inputs of a sequence apart."""
    lengths = {array.shape[0] if array.ndim else 0 for array in inputs}
    if len(lengths) != 1 or 0 in lengths:
        raise ConfigError(
            f"--sequence: the first axis of the inputs counts inferences, and is {', '.join(map(str, sorted(lengths)))}"
            if lengths
            else "--sequence: without an input nothing counts inferences",
            hint="stack the inputs of all inferences with numpy.stack",
        )
    return [[array[step] for array in inputs] for step in range(lengths.pop())]


def _about_cpu(kernels: str, calls: Mapping[str, int]) -> str:
    """Say what the CPU did, and how far that can be trusted."""
    named = ", ".join(f"{count} {name.partition('::')[2]}" for name, count in calls.items())
    by = f", by {kernels}" if kernels else ""
    text = f"CPU: {sum(calls.values())} operators{by}: {named}"
    if kernels.startswith("PyTorch"):
        text += "\n  as the golden outputs are computed; the firmware's kernels may round floating point differently"
    return text


def _named_hazards(simulator: Simulator) -> list[str]:
    """Say of each hazard in which delegate it is, where there are several."""
    delegates = simulator.hazards_by_delegate()
    return [
        f"delegate {number}: {hazard}" if len(delegates) > 1 else str(hazard)
        for number, hazards in enumerate(delegates)
        for hazard in hazards
    ]


def _refuse(hazards: Sequence[str]) -> None:
    if hazards:
        raise BadProgram(
            f"{len(hazards)} hazards in the command stream; the first: {hazards[0]}",
            hint="`pilotlight disassemble` shows the commands around it",
        )


def _load(path: Path) -> Any:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"--input {path}: {error}", hint="give a file written by numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise ConfigError(f"--input {path}: holds several arrays", hint="give one .npy file per input")
    return array
