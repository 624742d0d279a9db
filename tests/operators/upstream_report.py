# SPDX-License-Identifier: Apache-2.0
"""Tries explanations for the figures that upstream reports about its operators on Ethos-U85.

    python tests/operators/upstream_report.py             export and try, some six minutes
    python tests/operators/upstream_report.py --values    also print each operator's values

Upstream's test gives ramps to each operator (upstream_inputs.py) and compares the device with float
PyTorch. An operator's tolerance is the largest error of quantised PyTorch with the same inputs. The
report (SKIPPED_OPS.md beside upstream's recipes) has these figures, in Sram_Only:

- 122 of 131 delegated operators deviate by more than twice their tolerance;
- of the logged comparisons, 14 % are exactly zero where the reference is not;
- in 65 % of them, the error is larger than half the expected magnitude;
- with Shared_Sram, the NPU stops with an invalid weight stream.

Each explanation is a fault of the system around the program: the NPU reads something else, or what
it writes is lost. The programs are upstream's, and are kept in build/upstream_programs. The report
does not say which comparisons are logged. So the table has the shares for the first value of each
operator that deviates, and for all values.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import PilotlightError
from pilotlight.npu import MappedMemory, Simulator, delegate_runner, simulation
from pilotlight.npu.delegate_runner import DelegateRunner

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

NPU = "ethos-u85-256"
MODES = ("Sram_Only", "Shared_Sram", "Dedicated_Sram")
_BATCH = 20
_LIMIT_S = 120
# Places in DelegateRunner's memory, in units of 1 << 28: constants (region 0), scratch areas
# (regions 1 and 2), and the command stream.
_CONSTANTS, _SCRATCH, _STREAM = (1,), (2, 3), (9,)
_HEAD = """\
| what is wrong | operators that deviate | first deviations: zero, large | all values: zero, large | stopped |
|---|---|---|---|---|"""
Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """One exported operator. expected: float PyTorch. tolerances: one for the operator, as
    upstream's."""

    key: str
    program: bytes
    inputs: tuple[NDArray[Any], ...]
    expected: tuple[NDArray[Any], ...]
    tolerance: float


# 1. Export.


def export_case(key: str, mode: str, folder: Path) -> None:
    """Export one operator as upstream's test does, and write it to `folder`."""
    import torch
    import upstream_inputs
    from measure_operators import export

    inputs, module = upstream_inputs.inputs(key), upstream_inputs.module(key)
    with tempfile.TemporaryDirectory() as work, torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        expected = _tuple(module(*inputs))
        quantised, program, _ = export(module, inputs, NPU, mode, Path(work))
    errors = [
        float((value.float() - wanted.float()).abs().max())
        for value, wanted in zip(_tuple(quantised), expected, strict=True)
    ]
    arrays = {f"input_{index}": value.numpy() for index, value in enumerate(inputs)}
    arrays |= {f"expected_{index}": value.numpy() for index, value in enumerate(expected)}
    name = key.replace("/", "__")
    np.savez(folder / f"{name}.npz", tolerance=np.asarray(max(errors)), **arrays)
    (folder / f"{name}.pte").write_bytes(program)


def export_all(mode: str, folder: Path) -> dict[str, str]:
    """Export all operators that are not in `folder` yet. Returns key -> why there is no program."""
    from upstream_inputs import KEYS

    folder.mkdir(parents=True, exist_ok=True)
    left = [key for key in KEYS if not _done(key, folder)]
    for at in range(0, len(left), _BATCH):
        print(f"{mode}: {at} of {len(left)} exported", file=sys.stderr, flush=True)
        _export_batch(mode, left[at : at + _BATCH], folder)
    files = {key: folder / f"{key.replace('/', '__')}.error" for key in KEYS}
    return {key: file.read_text(encoding="utf-8") for key, file in files.items() if file.exists()}


def _done(key: str, folder: Path) -> bool:
    return any((folder / f"{key.replace('/', '__')}.{suffix}").exists() for suffix in ("pte", "error"))


def _export_batch(mode: str, keys: list[str], folder: Path) -> None:
    """Export in a process of its own, and one by one what is left if the process ends early."""
    command = [sys.executable, str(HERE / "upstream_report.py"), "--export", mode, str(folder), *keys]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=_LIMIT_S * len(keys), check=False).returncode
        reason = f"the process ended with {ended}"
    except subprocess.TimeoutExpired:
        reason = f"no result within {_LIMIT_S} s"
    left = [key for key in keys if not _done(key, folder)]
    if len(keys) == 1 and left:
        (folder / f"{keys[0].replace('/', '__')}.error").write_text(reason, encoding="utf-8")
    elif left:
        for key in left:
            _export_batch(mode, [key], folder)


def _export_keys(mode: str, folder: Path, keys: Sequence[str]) -> None:
    for key in keys:
        try:
            export_case(key, mode, folder)
        except Exception as error:  # Whatever upstream raises is a result.
            text = (str(error).splitlines() or [""])[0]
            file = folder / f"{key.replace('/', '__')}.error"
            file.write_text(f"{type(error).__name__}: {text}", encoding="utf-8")


def delegated(folder: Path) -> list[Case]:
    """Return the exported operators that use the NPU, in the order in which upstream runs them."""
    from operator_recipes import RECIPES

    found = []
    files = {file.stem.replace("__", "/", 1): file for file in folder.glob("*.pte")}
    for key in sorted(files, key=lambda key: (key not in RECIPES, not key.startswith("portable/"), key)):
        file = files[key]
        program = file.read_bytes()
        arrays = np.load(file.with_suffix(".npz"))
        if not Simulator(program).method.delegates:
            continue
        inputs, expected = (
            tuple(arrays[f"{kind}_{index}"] for index in range(sum(name.startswith(kind) for name in arrays)))
            for kind in ("input", "expected")
        )
        found.append(Case(key, program, inputs, expected, float(arrays["tolerance"])))
    return found


# 2. Explanations.


class GatedMemory(MappedMemory):
    """Memory behind a gate that answers reads with zeros and ignores writes, without an error."""

    no_reads: frozenset[int] = frozenset()
    no_writes: frozenset[int] = frozenset()

    def view(self, address: int, size_bytes: int, *, writable: bool) -> NDArray[np.uint8]:
        found = super().view(address, size_bytes, writable=writable)
        closed = self.no_writes if writable else self.no_reads
        return np.zeros(size_bytes, np.uint8) if address >> 28 in closed else found


@contextlib.contextmanager
def gated(no_reads: Sequence[int] = (), no_writes: Sequence[int] = ()) -> Iterator[None]:
    """Close regions to the NPU. The CPU still reads and writes them."""

    class Memory(GatedMemory):
        pass

    Memory.no_reads, Memory.no_writes = frozenset(no_reads), frozenset(no_writes)
    delegate_runner.MappedMemory = Memory  # type: ignore[attr-defined]
    try:
        yield
    finally:
        delegate_runner.MappedMemory = MappedMemory  # type: ignore[attr-defined]


class IdleRunner(DelegateRunner):
    """A delegate whose NPU does nothing, in memory that keeps what earlier delegates left in it."""

    memory = np.zeros(1 << 20, np.uint8)

    def run(self, inputs: Arrays, outputs: Arrays, on_executed: Callable[[Any], None] = lambda _: None) -> None:
        del on_executed
        for place, array in zip(self.blob.inputs, inputs, strict=True):
            self.memory[place.offset : place.offset + place.size_bytes] = np.frombuffer(array.tobytes(), np.uint8)
        for place, array in zip(self.blob.outputs, outputs, strict=True):
            array.reshape(-1).view(np.uint8)[:] = self.memory[place.offset : place.offset + place.size_bytes]


@contextlib.contextmanager
def idle() -> Iterator[None]:
    IdleRunner.memory[:] = 0
    simulation.DelegateRunner = IdleRunner  # type: ignore[attr-defined]
    try:
        yield
    finally:
        simulation.DelegateRunner = DelegateRunner  # type: ignore[attr-defined]


def _same(inputs: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    return inputs


def _ones(inputs: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    return tuple(np.ones_like(value) for value in inputs)


@dataclass(frozen=True)
class Explanation:
    """surroundings: what is wrong around the program. inputs: what the runner gives it."""

    text: str
    surroundings: Callable[[], contextlib.AbstractContextManager[None]]
    inputs: Callable[[tuple[NDArray[Any], ...]], tuple[NDArray[Any], ...]] = _same


EXPLANATIONS = (
    Explanation("nothing is wrong", contextlib.nullcontext),
    Explanation("the runner gives ones", contextlib.nullcontext, _ones),
    Explanation("the NPU reads zeros from the scratch area", lambda: gated(no_reads=_SCRATCH)),
    Explanation("the NPU's writes to the scratch area are lost", lambda: gated(no_writes=_SCRATCH)),
    Explanation("the NPU has no access to the scratch area", lambda: gated(_SCRATCH, _SCRATCH)),
    Explanation("the same, and the scratch area keeps earlier data", idle),
    Explanation("the NPU reads zeros for constants", lambda: gated(no_reads=_CONSTANTS)),
    Explanation("the NPU reads zeros for its commands", lambda: gated(no_reads=_STREAM)),
)


@dataclass(frozen=True)
class Figures:
    """What upstream's report would say.

    operators: those that run to the end. deviating: more than twice the tolerance off. first, all:
    shares of values that are zero instead, and shares of large errors, among the first values that
    deviate, and among all values. faults: key -> what stopped the NPU. right: the operators that do
    not deviate.
    """

    operators: int
    deviating: int
    first: tuple[float, float]
    all: tuple[float, float]
    faults: dict[str, str]
    right: list[str]


def try_explanation(explanation: Explanation, cases: Sequence[Case], tell: Callable[[str], None]) -> Figures:
    """Run all operators, and compare them as upstream does. tell: gets a line for each operator."""
    first: list[tuple[bool, bool]] = []
    everything: list[NDArray[np.bool_]] = []
    faults: dict[str, str] = {}
    right: list[str] = []
    with explanation.surroundings():
        for case in cases:
            try:
                outputs = Simulator(case.program).run(explanation.inputs(case.inputs)).outputs
            except PilotlightError as error:
                faults[case.key] = str(error).splitlines()[0]
                continue
            got, wanted = _values(outputs), _values(case.expected)
            errors = np.abs(got - wanted)
            zeros, large = (got == 0) & (wanted != 0), errors > 0.5 * np.abs(wanted)
            everything.append(np.stack((zeros, large)))
            deviates = errors > 2 * case.tolerance
            if deviates.any():
                at = int(deviates.argmax())
                first.append((bool(zeros[at]), bool(large[at])))
            else:
                right.append(case.key)
            tell(f"  {case.key}: tolerance {case.tolerance:.3g}, wanted {wanted[:6].round(3)}, got {got[:6].round(3)}")
    return Figures(
        operators=len(everything),
        deviating=len(first),
        first=_shares(np.asarray(first, np.bool_).reshape(-1, 2).T),
        all=_shares(np.concatenate(everything, axis=1) if everything else np.zeros((2, 0), np.bool_)),
        faults=faults,
        right=right,
    )


def _values(arrays: Sequence[Any]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays])


def _shares(rows: NDArray[np.bool_]) -> tuple[float, float]:
    shares = rows.mean(axis=1) if rows.size else np.zeros(2)
    return float(shares[0]), float(shares[1])


def _percent(shares: tuple[float, float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", action="append", choices=MODES, help="memory mode; may be repeated")
    parser.add_argument("--programs", type=Path, default=ROOT / "build" / "upstream_programs")
    parser.add_argument("--values", action="store_true", help="print each operator's values")
    parser.add_argument("--export", nargs="+", metavar=("MODE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.export:
        _export_keys(args.export[0], Path(args.export[1]), args.export[2:])
        return 0
    tell: Callable[[str], None] = print if args.values else lambda line: None
    for mode in args.mode or MODES[:2]:
        folder = args.programs / mode
        missing = export_all(mode, folder)
        cases = delegated(folder)
        print(f"\n{mode}: {len(cases)} operators use the NPU; no program for {', '.join(missing) or 'none'}")
        print(_HEAD)
        for explanation in EXPLANATIONS:
            found = try_explanation(explanation, cases, tell)
            stops = sorted(set(found.faults.values()))
            print(
                f"| {explanation.text} | {found.deviating} of {found.operators} | {_percent(found.first)} "
                f"| {_percent(found.all)} | {len(found.faults)}{': ' + '; '.join(stops[:3]) if stops else ''} |"
            )
            tell(f"  right: {', '.join(found.right)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
