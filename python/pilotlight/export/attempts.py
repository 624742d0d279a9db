# SPDX-License-Identifier: Apache-2.0
"""Quantises and lowers a model until it compiles. Operators that fail stay on the CPU.

ExecuTorch raises for a whole model if one operator fails. This module reads the operator from the
stack frames of the exception. If no frame names an operator, a binary search over the delegate's
operators finds the operator that makes the difference. Equal operators go to the CPU together with
this operator. Each attempt keeps at least one more operator on the CPU, so the last attempt keeps
all of them there.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from pilotlight.errors import PilotlightError
from pilotlight.export.golden.comparison import Comparison, Deviates
from pilotlight.export.golden.confirm import Miscompiled, confirm
from pilotlight.export.golden.golden import GoldenModel, quantised_values
from pilotlight.export.golden.output_agreement import OutputDeviates, demand_outputs
from pilotlight.export.graph.user_operators import number_of
from pilotlight.export.lowering.lower import Lowered, LoweringFailed, lower
from pilotlight.export.lowering.reuse import CompiledDelegates
from pilotlight.export.model.steps import Steps, worded
from pilotlight.export.quantising.quantise import Captured, Quantised, quantise
from pilotlight.export.upstream import reasons
from pilotlight.export.upstream.vela import VelaRefused
from pilotlight.export.upstream.vela_outputs import MissingOutput
from pilotlight.files import storage_full
from pilotlight.model_spec import ModelSpec

# Samples on which each operator of the delegates is compared with quantised PyTorch.
_COMPARED_SAMPLES = 2


@dataclass(frozen=True)
class Attempt:
    """The attempt that succeeded.

    comparison: the delegates' operators against quantised PyTorch, each within its bound.
    unconfirmed: a note on what the simulator could not confirm, "" if it confirmed everything.
    in_float: numbers of the operators that were not quantised.
    """

    quantised: Quantised
    lowered: Lowered
    comparison: Comparison
    unconfirmed: str
    in_float: frozenset[int]


@dataclass
class Attempts:
    """The state of the search for a set of operators that compiles.

    samples: inputs on which the simulator must confirm the delegates; empty if the simulator does
        not know the NPU.
    kept: number -> reason, for the operators that must stay on the CPU.
    in_float: numbers of the operators that are not quantised.
    compiled: the delegates of earlier attempts.
    """

    captured: Captured
    spec: ModelSpec
    compile_spec: Any
    float_io: bool
    work: Path
    steps: Steps
    samples: Sequence[tuple[Any, ...]]
    kept: dict[int, str] = field(default_factory=dict)
    in_float: set[int] = field(default_factory=set)
    compiled: CompiledDelegates = field(default_factory=CompiledDelegates)
    _attempts: int = 0
    _probes: int = 0
    _met: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> Attempt:
        """Return the attempt that succeeded. An exception of upstream's causes another attempt.

        Raises ModelError if the model itself is wrong, or if it fails with all operators on the
        CPU; StorageFull if the disk is full.
        """
        attempt = self._until_it_works()
        for _ in range(2):
            needless = {
                number: why
                for number, why in attempt.lowered.needlessly_quantised.items()
                if number not in self.in_float
            }
            if not needless:
                break
            self.steps.tell(f"  trying again, with these CPU operators in float: {self._listed(needless)}")
            before = dict(self.kept), set(self.in_float)
            self.kept |= needless
            self.in_float |= set(needless)
            better = self._attempt()
            if isinstance(better, _Failure):
                self.kept, self.in_float = before
                break
            attempt = better
        return attempt

    def _until_it_works(self) -> Attempt:
        while True:
            outcome = self._attempt()
            if isinstance(outcome, Attempt):
                return outcome
            if len(self.kept) == len(self.captured.operators):
                raise worded("compiling for the CPU alone", outcome.error) from outcome.error
            found = self._culprits(outcome)
            self.kept |= found
            self.in_float |= set(found)
            self.steps.tell(f"  does not compile for the NPU and stays on the CPU: {self._listed(found)}")

    def _attempt(self) -> Attempt | _Failure:
        self._attempts += 1
        quantised = self._guarded(self._quantise)
        if isinstance(quantised, _Failure):
            return quantised
        outcome = self._guarded(functools.partial(self._compile, quantised, self.kept))
        if isinstance(outcome, _Failure):
            return _Failure(outcome.error, outcome.numbers, quantised)
        lowered, comparison, unconfirmed = outcome
        return Attempt(quantised, lowered, comparison, unconfirmed, frozenset(self.in_float))

    def _quantise(self) -> Quantised:
        with self.steps.step("quantise", wrap=False):
            return quantise(self.captured, self.spec, self.compile_spec, self.in_float)

    def _compile(self, quantised: Quantised, kept: dict[int, str]) -> tuple[Lowered, Comparison, str]:
        """Lower, compare the delegates with quantised PyTorch, and confirm Vela's commands."""
        work = self.work / f"attempt{self._attempts}-{self._probes}"
        with self.steps.step("lower", wrap=False):
            lowered = lower(
                quantised.program,
                self.compile_spec,
                self.captured.operators,
                kept,
                float_io=self.float_io,
                work=work,
                compiled=self.compiled,
                tell=self.steps.tell_sometimes,
            )
        with self.steps.step("compare", wrap=False):
            comparison = self._compare(quantised, lowered)
        with self.steps.step("confirm", wrap=False):
            golden = GoldenModel(lowered, sequence=self.spec.sequence)
            boundary = lowered.boundary.input_quantisation
            try:
                unconfirmed = (
                    confirm(
                        [delegate.compilation.blob for delegate in lowered.delegates],
                        [call for sample in self.samples for call in golden.calls(quantised_values(sample, boundary))],
                    )
                    if self.samples
                    else ""
                )
            except Miscompiled as error:
                raise LoweringFailed(lowered.delegates[error.delegate].numbers) from error
        return lowered, comparison, unconfirmed

    def _compare(self, quantised: Quantised, lowered: Lowered) -> Comparison:
        """Raise LoweringFailed at the first operator or output that is beyond its bound."""
        comparison = Comparison(quantised.module, lowered)
        golden = GoldenModel(lowered, sequence=False)
        ends = []
        for sample in islice(self.spec.calibration, _COMPARED_SAMPLES):
            followed = golden.followed(quantised_values(sample, lowered.boundary.input_quantisation))
            ends.append((followed, *comparison.add(sample, followed.calls)))
        beyond = comparison.first_beyond()
        if beyond is not None:
            error = Deviates(beyond, self.captured.operators)
            numbers = () if error.number is None else (error.number,)
            raise LoweringFailed(numbers) from error
        # PyTorch rounded the results that have no counterpart, so each may add one step.
        steps = 1 + comparison.quantisers - len(comparison.results)
        try:
            for end in ends if lowered.delegates else ():
                demand_outputs(*end, lowered.boundary, steps)
        except OutputDeviates as error:
            suspects = (number for delegate in lowered.delegates for number in delegate.numbers)
            raise LoweringFailed(tuple(suspects)) from error
        return comparison

    def _guarded(self, function: Callable[[], Any]) -> Any:
        """Return the result of `function`, or a _Failure for an exception that is not ours."""
        try:
            return function()
        except PilotlightError:
            raise
        except LoweringFailed as failed:
            assert failed.__cause__ is not None
            _demand_room(failed)
            self.steps.log_exception()
            return _Failure(failed.__cause__, failed.numbers)
        except (Exception, SystemExit) as error:
            _demand_room(error)
            self.steps.log_exception()
            return _Failure(error, tuple(self.captured.operators))

    def _culprits(self, failure: _Failure) -> dict[int, str]:
        """Return at least one operator that is not kept yet, with the reason."""
        why = _why(failure.error)
        if isinstance(failure.error, Deviates) and failure.numbers and failure.numbers[0] not in self.kept:
            return {failure.numbers[0]: why}
        left = [number for number in failure.numbers if number not in self.kept] or [
            number for number in self.captured.operators if number not in self.kept
        ]
        named = None if isinstance(failure.error, Miscompiled) else looked_at(failure.error)
        if named is not None and named in left:
            found = [named]
        elif failure.quantised is None:
            return dict.fromkeys(left, why)
        else:
            found = self._search(failure.quantised, left)
        return dict.fromkeys(self._with_equals(found, why), why)

    def _with_equals(self, found: list[int], why: str) -> list[int]:
        """Add the operators that would fail in the same way.

        The result has all operators equal to `found`. If the same error has occurred before at an
        operator of the same name, the result has all operators of that name.
        """
        kinds: dict[int, str] = {}
        names: dict[int, str] = {}
        for node in self.captured.graph.graph.nodes:
            number = number_of(node)
            if number is not None and number not in self.kept:
                kinds.setdefault(number, _kind(node))
                names.setdefault(number, str(node.target))
        # The message is compared without numbers, because counts and positions differ between
        # operators.
        error = re.sub(r"\d+|0x[0-9a-f]+", "#", why)
        errors = {(names[number], error) for number in found if number in names}
        again = {name for name, _ in errors & self._met}
        self._met |= errors
        alike = {kinds[number] for number in found if number in kinds}
        more = [number for number in kinds if kinds[number] in alike or names[number] in again]
        return list(dict.fromkeys((*found, *more)))

    def _search(self, quantised: Quantised, suspects: list[int]) -> list[int]:
        """Find the first suspect with which the delegate stops compiling, by binary search.

        suspects: in the order of computation. Invariant: the first `working` suspects compile, the
        first `failing` suspects do not.
        """
        self.steps.tell(f"  looking for the operator that does not compile, among {len(suspects)}")
        working, failing = 0, len(suspects)
        while failing - working > 1:
            self._probes += 1
            middle = (working + failing) // 2
            others = set(self.captured.operators) - set(suspects[:middle])
            kept = {number: self.kept.get(number, "not tried") for number in others}
            outcome = self._guarded(functools.partial(self._compile, quantised, kept))
            if isinstance(outcome, _Failure):
                failing = middle
            else:
                working = middle
        return suspects[working:failing]

    def _listed(self, numbers: dict[int, str]) -> str:
        names = [str(self.captured.operators[number]) for number in numbers]
        return names[0] if len(names) == 1 else f"{len(names)} operators, from {names[0]}"


@dataclass(frozen=True)
class _Failure:
    error: BaseException
    numbers: tuple[int, ...]
    quantised: Quantised | None = None


def _demand_room(error: BaseException) -> None:
    """Raise StorageFull if a full disk is the cause, because then no operator is at fault."""
    full = storage_full(error)
    if full is not None:
        raise full from error


def _kind(node: Any) -> str:
    """Return name, arguments and kinds of inputs: operators with the same text fail alike."""

    def told(value: Any) -> str:
        tensor = value.meta.get("val")
        if isinstance(tensor, torch.Tensor):
            origin = value.target if value.op == "call_function" else value.op
            return f"{tensor.dtype} {tuple(tensor.shape)} of {origin}"
        return str(value.op)

    return f"{node.target} {torch.fx.node.map_arg((node.args, node.kwargs), told)}"


def _why(error: BaseException) -> str:
    """Return which program refuses the operator, and its message."""
    if isinstance(error, Miscompiled):
        return error.reason
    if isinstance(error, Deviates | OutputDeviates):
        return f"the NPU would compute something else: {error.finding}"
    if any(isinstance(link, VelaRefused | MissingOutput) for link in _chain(error)):
        return f"Vela refuses it: {reasons.of_failure(error)}"
    return f"ExecuTorch cannot lower it: {reasons.of_failure(error)}"


def looked_at(error: BaseException) -> int | None:
    """Return the number of the operator that the raising code was handling, None if unknown."""
    for link in reversed(_chain(error)):
        for frame in reversed(list(_frames(link.__traceback__))):
            for value in (frame.f_locals.get(name) for name in ("node", "n", "meta")):
                number = _number_in(value)
                if number is not None:
                    return number
    return None


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    return chain


def _frames(traceback: TracebackType | None) -> Any:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _number_in(value: Any) -> int | None:
    if isinstance(value, torch.fx.Node):
        return number_of(value)
    data = getattr(value, "data", None)  # NodeMetadata of ExecuTorch's passes
    return number_of(_WithMeta(data)) if isinstance(data, dict) else None


@dataclass(frozen=True)
class _WithMeta:
    meta: dict[str, Any]
