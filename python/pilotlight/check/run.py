# SPDX-License-Identifier: Apache-2.0
"""Runs a check: every sample of every model on the powered target, and the verdict."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight import targets
from pilotlight.boards import load_board
from pilotlight.build_folder import BuildFolder, BuildInfo
from pilotlight.bundle import ModelInfo, load_model_info
from pilotlight.check import record
from pilotlight.check.compare import Mismatched, accuracy, compare_output, rounding
from pilotlight.check.data_set import DataSet, load_data_set
from pilotlight.check.evidence import (
    demand_these_expectations,
    demand_this_build,
    demand_this_model,
    memory_objections,
    objections,
    stack_objections,
)
from pilotlight.check.record import CheckReport, Latency, ModelReport, Observations, Spread
from pilotlight.codegen import Arenas
from pilotlight.deadline import Deadline
from pilotlight.errors import (
    ConfigError,
    ConsoleBusy,
    LinkTimeout,
    PilotlightError,
    TargetDied,
    TargetError,
    TargetNotRunning,
)
from pilotlight.fault import decode_fault
from pilotlight.files import write_atomically
from pilotlight.link import Link, Session, open_link
from pilotlight.link.messages import NONCE_BYTES, LogLine, ModelDescription, RunDone, Statistics
from pilotlight.stack import load_bound

# Limits of the whole check, of one inference on the device, and of the target's first answer.
TIMEOUT_S = 3600.0
RUN_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 20.0
# A supervisor notices within this time that emulator or simulator has died.
OBITUARY_S = 2.0
MISMATCHES_KEPT = 20


@dataclass(frozen=True)
class Target:
    """A connected target.

    obituary: returns why the target died, "" while it is alive.
    resets: returns the number of resets since connecting, and the reason of the last one.
    """

    link: Link
    obituary: Callable[[], str]
    resets: Callable[[], tuple[int, str]] = lambda: (0, "")


@dataclass(frozen=True)
class Listener:
    """Callbacks for the progress of a check."""

    on_sample: Callable[[int, int], None] = lambda done, samples: None
    on_log: Callable[[LogLine], None] = lambda line: None


@dataclass(frozen=True)
class _Subject:
    """A model to check, with its first `count` samples. memory: its computed memory."""

    info: ModelInfo
    bundle: Path
    data: DataSet
    count: int
    memory: Arenas


@dataclass
class _Answers:
    """The device's answers for one model, by sample. outputs: a list per output."""

    outputs: list[list[NDArray[Any]]]
    runs: list[RunDone] = field(default_factory=list)
    host_ms: list[float] = field(default_factory=list)


def connect(build_dir: Path, deadline: Deadline) -> Target:
    """Connect to the build's powered target."""

    def obituary() -> str:
        state = targets.status(build_dir)
        if state.resets_repeatedly:
            return state.reason + targets.last_fault(build_dir)
        if not state.running:
            return state.reason or f"it is {state.phase}"
        return state.npu_ended

    def resets() -> tuple[int, str]:
        return targets.status(build_dir).reboots - before, targets.last_fault(build_dir)

    before = targets.status(build_dir).reboots
    return Target(open_link(targets.connect(build_dir), deadline), obituary, resets)


def run_check(
    build_dir: Path,
    *,
    samples: int | None = None,
    timeout_s: float = TIMEOUT_S,
    run_timeout_s: float = RUN_TIMEOUT_S,
    retries: int = 0,
    connect: Callable[[Path, Deadline], Target] = connect,
    listener: Listener | None = None,
) -> CheckReport:
    """Run each model's data set, or its first `samples`, on the build's powered target, and
    compare.

    Outputs that differ are a verdict, not an exception: see `CheckReport.failure`. If there can be
    no verdict, this raises ConfigError (bundle or build folder), TargetNotRunning, WrongNpu,
    TargetDied, NpuFault, TargetError, LinkTimeout or LinkCorrupted. In both cases the check is
    recorded in the history.
    """
    started = time.monotonic()
    deadline = Deadline(timeout_s)
    folder = BuildFolder(build_dir)
    record.forget_latest(folder.checks)
    build = folder.info()
    if not build.tells_build_id:
        raise ConfigError(
            f"{build_dir}: the app of this image does not speak the check protocol, so nothing can be checked",
            hint="check the model in the check app: west build -b BOARD -m MODEL -d ANOTHER_FOLDER",
        )
    bundles = [build_dir / model.bundle for model in build.models]
    infos = [load_model_info(bundle) for bundle in bundles]
    blank = CheckReport(
        verdict=record.ERROR,
        board=build.board,
        build_id=build.build_id,
        npu_is_simulated=_npu_is_simulated(build.board),
        clock=_clock(build.board),
        started=datetime.now(timezone.utc),
        models=tuple(ModelReport(info.name, info.npu) for info in infos),
    )
    try:
        subjects = []
        for info, bundle, built in zip(infos, bundles, build.models, strict=True):
            data = load_data_set(bundle, info)
            demand_these_expectations(bundle, built.expectations)
            subjects.append(_Subject(info, bundle, data, _sample_count(samples, data), Arenas.from_json(built.memory)))
        target = connect(build_dir, deadline.within(CONNECT_TIMEOUT_S))
        try:
            report = _converse(
                target.link, folder, build, blank, subjects, retries, run_timeout_s, deadline, listener or Listener()
            )
        except ConsoleBusy:
            raise
        except (LinkTimeout, TargetError) as error:
            raise _cause_of_death(target, error) from error
        finally:
            target.link.close()
    except PilotlightError as error:
        failed = replace(blank, objections=(error,), wall_s=time.monotonic() - started)
        record.save(folder.checks, failed)
        raise
    report = replace(report, wall_s=time.monotonic() - started)
    record.save(folder.checks, report)
    return report


def _converse(
    link: Link,
    folder: BuildFolder,
    build: BuildInfo,
    blank: CheckReport,
    subjects: list[_Subject],
    retries: int,
    run_timeout_s: float,
    deadline: Deadline,
    listener: Listener,
) -> CheckReport:
    def describe_fault(dump: bytes) -> str:
        write_atomically(folder.fault_dump, dump)
        try:
            return "\n  ".join(decode_fault(dump, folder.path / build.elf).lines())
        except PilotlightError as error:
            return str(error)

    session = Session(link, retries=retries, on_log=listener.on_log, describe_fault=describe_fault)
    nonce = secrets.token_bytes(NONCE_BYTES)
    identity = session.identify(nonce, deadline.within(CONNECT_TIMEOUT_S))
    demand_this_build(identity, build.build_id, build.board_name)
    indices: list[int] = []
    for subject in subjects:
        index, model = _find_model(session, subject.info, deadline)
        demand_this_model(model, identity, subject.info)
        indices.append(index)
    fault = session.read_fault(deadline) if identity.has_fault else b""

    answers = _run_all(session, indices, subjects, run_timeout_s, deadline, listener)
    statistics = [session.statistics(index, deadline) for index in indices]
    runs = sum(subject.count for subject in subjects)
    completion = session.end(runs, deadline)

    bound = load_bound(folder.stack_bound)
    against = [*objections(session, completion, nonce, runs)]
    for subject, used in zip(subjects, statistics, strict=True):
        against += stack_objections(used, bound)
        against += memory_objections(subject.info.name, used, subject.memory)
    reports = tuple(map(_judge, subjects, answers, statistics))
    return replace(
        blank,
        verdict=record.ERROR if against else _worst(reports),
        npu=identity.npu_config,
        boot_id=identity.boot_id,
        models=reports,
        stack_bound=bound,
        retries_used=session.retries_used,
        noise_before_session=session.noise_before_session,
        earlier_fault=describe_fault(fault) if fault else "",
        log=tuple(f"{line.level.name.lower()}: {line.text}" for line in session.log),
        objections=tuple(against),
    )


def _run_all(
    session: Session,
    indices: list[int],
    subjects: list[_Subject],
    run_timeout_s: float,
    deadline: Deadline,
    listener: Listener,
) -> list[_Answers]:
    """Run all samples. Models alternate, so that a model that disturbs another is noticed."""
    answers = [_Answers([[] for _ in subject.info.outputs]) for subject in subjects]
    samples = sum(subject.count for subject in subjects)
    done = 0
    for sample in range(max(subject.count for subject in subjects)):
        for index, subject, answer in zip(indices, subjects, answers, strict=True):
            if sample < subject.count:
                done += 1
                _run_sample(session, index, done, subject, sample, answer, run_timeout_s, deadline)
                listener.on_sample(done, samples)
    return answers


def _run_sample(
    session: Session,
    index: int,
    number: int,
    subject: _Subject,
    sample: int,
    answer: _Answers,
    run_timeout_s: float,
    deadline: Deadline,
) -> None:
    data = subject.data
    sizes = [array[0].nbytes for array in data.golden]
    continues = subject.info.sequence and sample > 0
    start = time.monotonic()
    done, outputs = session.infer(
        index,
        number,
        data.input_bytes(sample, subject.info.inputs),
        sizes,
        run_timeout_s,
        deadline,
        continues=continues,
    )
    answer.host_ms.append((time.monotonic() - start) * 1e3)
    answer.runs.append(done)
    for row, raw, about, golden in zip(answer.outputs, outputs, subject.info.outputs, data.golden, strict=True):
        dtype = np.dtype(about.dtype).newbyteorder("<")
        values = about.from_memory(np.frombuffer(raw, dtype))
        row.append(values.reshape(golden[sample].shape).astype(golden.dtype))


def _judge(subject: _Subject, answers: _Answers, statistics: Statistics) -> ModelReport:
    info, data, count = subject.info, subject.data, subject.count
    outputs = tuple(np.stack(row) for row in answers.outputs)
    compared = [
        compare_output(output, data.golden[output][:count], got, info.tolerance_of(output))
        for output, got in enumerate(outputs)
    ]
    mismatches = sorted(
        (found for one in compared for found in one.mismatches), key=lambda found: (found.sample, found.output)
    )
    wrong = {found.sample for found in mismatches}
    tolerated = {sample for one in compared for sample in one.tolerated} - wrong
    return ModelReport(
        model=info.name,
        npu=info.npu,
        verdict=_verdict(mismatches, count, data.samples, info.weak),
        pte_sha256=info.pte_sha256,
        samples=count,
        data_set_samples=data.samples,
        identical_samples=count - len(wrong) - len(tolerated),
        tolerated_samples=len(tolerated),
        mismatched_samples=len(wrong),
        values=sum(one.elements for one in compared),
        differing_values=sum(one.differing for one in compared),
        max_tolerated_difference=max((one.max_difference for one in compared), default=0.0),
        mismatches=tuple(mismatches[:MISMATCHES_KEPT]),
        warnings=info.warnings,
        weak=info.weak,
        accuracy=None
        if data.labels is None
        else accuracy(
            data.labels[:count], outputs[0], data.golden[0][:count], data.quantised[0][:count], data.fp32[0][:count]
        ),
        rounding=rounding(data.golden, data.quantised),
        latency=Latency(
            device_us=Spread.of([run.duration_us for run in answers.runs]),
            cpu_cycles=Spread.of([run.cpu_cycles for run in answers.runs]),
            npu_cycles=Spread.of([run.npu_cycles for run in answers.runs]),
            host_ms=Spread.of(answers.host_ms),
        ),
        memory=statistics,
        observations=Observations(info, data, outputs, tuple(float(run.duration_us) for run in answers.runs)),
    )


def _find_model(session: Session, info: ModelInfo, deadline: Deadline) -> tuple[int, ModelDescription]:
    names = []
    for index in range(session.identity.model_count):
        model = session.describe_model(index, deadline)
        if model.header.name == info.name:
            return index, model
        names.append(model.header.name)
    raise TargetNotRunning(
        f"the image holds {', '.join(names) or 'no model'}, not {info.name}", hint="build and flash again"
    )


def _verdict(mismatches: list[Mismatched], count: int, in_data_set: int, weak: Sequence[str]) -> str:
    if mismatches:
        return record.MISMATCH
    if count == 0:
        return record.ERROR
    if weak:
        return record.WEAK
    return record.PASS if count == in_data_set else record.PARTIAL


def _worst(reports: tuple[ModelReport, ...]) -> str:
    verdicts = {report.verdict for report in reports}
    order = (record.ERROR, record.MISMATCH, record.WEAK, record.PARTIAL, record.PASS)
    return next((verdict for verdict in order if verdict in verdicts), record.ERROR)


def _sample_count(asked: int | None, data: DataSet) -> int:
    if asked is None:
        return data.samples
    if asked < 1:
        raise ConfigError(f"--samples {asked}: nothing would be proved", hint="leave it out to check all samples")
    return min(asked, data.samples)


def _cause_of_death(target: Target, error: PilotlightError) -> PilotlightError:
    """Return TargetDied with the cause if the target has died or reset, else `error`."""
    patience = Deadline(OBITUARY_S)
    while not (reason := target.obituary()) and not patience.passed:
        time.sleep(0.05)
    if reason:
        return TargetDied(f"the target died during the check: {reason}\n  noticed by: {error}", hint="west flash")
    count, why = target.resets()
    # Unless the error is a timeout, it already reports one reset.
    if count > (not isinstance(error, LinkTimeout)):
        times = "once" if count == 1 else f"{count} times"
        return TargetDied(
            f"the target reset {times} during the check{why}\n  noticed by: {error}", hint=targets.RESETS_HINT
        )
    return error


def _npu_is_simulated(board: str) -> bool:
    """Whether the board's NPU is a simulator. False if the board no longer exists."""
    try:
        return load_board(board).npu.port == "mailbox"
    except ConfigError:
        return False


def _clock(board: str) -> str:
    """Return the board's clock, or "host", the weakest claim, if it no longer exists."""
    try:
        return load_board(board).clock
    except ConfigError:
        return "host"
