# SPDX-License-Identifier: Apache-2.0
"""One check: every sample of the bundle through the powered target, and the verdict."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight import targets
from pilotlight.boards import load_board
from pilotlight.bundle import ModelInfo, load_model_info
from pilotlight.check import record
from pilotlight.check.compare import Mismatched, accuracy, compare_output, rounding
from pilotlight.check.data_set import DataSet, load_data_set
from pilotlight.check.evidence import demand_this_build, demand_this_model, objections, stack_objections
from pilotlight.check.record import CheckReport, Latency, Observations, Spread
from pilotlight.errors import ConfigError, LinkTimeout, PilotlightError, TargetDied, TargetError, TargetNotRunning
from pilotlight.fault import FAULT_FILE, decode_fault
from pilotlight.files import write_atomically
from pilotlight.link import Deadline, Link, Session, open_link
from pilotlight.link.messages import NONCE_BYTES, LogLine, ModelDescription, RunDone
from pilotlight.stack import load_bound

# The whole check; what one inference may take on the device; how long a target may need to answer at first.
TIMEOUT_S = 3600.0
RUN_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 20.0
# A supervisor notices a death within this time.
OBITUARY_S = 2.0
MISMATCHES_KEPT = 20


@dataclass(frozen=True)
class Target:
    """A target that was connected to. `obituary` says what it died of, "" while it lives."""

    link: Link
    obituary: Callable[[], str]


@dataclass(frozen=True)
class Listener:
    """Who wants to hear how the check goes."""

    on_sample: Callable[[int, int], None] = lambda done, samples: None
    on_log: Callable[[LogLine], None] = lambda line: None


@dataclass(frozen=True)
class _Answers:
    """What the device answered, sample by sample."""

    outputs: tuple[NDArray[Any], ...]
    runs: tuple[RunDone, ...]
    host_ms: tuple[float, ...]


def connect(build_dir: Path, deadline: Deadline) -> Target:
    """Connect to the build's powered target."""

    def obituary() -> str:
        state = targets.status(build_dir)
        if not state.running:
            return state.reason or f"it is {state.phase}"
        return state.npu_ended

    return Target(open_link(targets.connect(build_dir), deadline), obituary)


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
    """Run the build's data set (or its first `samples`) on its powered target and compare as the bundle says.

    Outputs that differ are a verdict, not an exception: see `CheckReport.failure`. Whatever prevents a
    verdict is raised: ConfigError (bundle or build folder), TargetNotRunning, WrongNpu, TargetDied, NpuFault,
    TargetError, LinkTimeout, LinkCorrupted. Either way the history gets a record.
    """
    started = time.monotonic()
    deadline = Deadline(timeout_s)
    record.forget_latest(build_dir / "check")
    build, info = _build_info(build_dir), load_model_info(build_dir / "bundle")
    blank = CheckReport(
        verdict=record.ERROR,
        board=build["board"],
        model=info.name,
        target=info.target,
        build_id=build["build_id"],
        npu_is_simulated=_npu_is_simulated(build["board"]),
        started=datetime.now(timezone.utc),
    )
    try:
        data = load_data_set(build_dir / "bundle", info)
        count = _sample_count(samples, data)
        target = connect(build_dir, deadline.within(CONNECT_TIMEOUT_S))
        try:
            report = _converse(
                target.link,
                build_dir,
                blank,
                info,
                data,
                count,
                retries,
                run_timeout_s,
                deadline,
                listener or Listener(),
            )
        except (LinkTimeout, TargetError) as error:
            raise _cause_of_death(target, error) from error
        finally:
            target.link.close()
    except PilotlightError as error:
        failed = replace(blank, objections=(error,), wall_s=time.monotonic() - started)
        record.save(build_dir / "check", failed)
        raise
    report = replace(report, wall_s=time.monotonic() - started)
    record.save(build_dir / "check", report)
    return report


def _converse(
    link: Link,
    build_dir: Path,
    blank: CheckReport,
    info: ModelInfo,
    data: DataSet,
    count: int,
    retries: int,
    run_timeout_s: float,
    deadline: Deadline,
    listener: Listener,
) -> CheckReport:
    def describe_fault(dump: bytes) -> str:
        write_atomically(build_dir / FAULT_FILE, dump)
        try:
            return "\n  ".join(decode_fault(dump, build_dir / "firmware.elf").lines())
        except PilotlightError as error:
            return str(error)

    session = Session(link, retries=retries, on_log=listener.on_log, describe_fault=describe_fault)
    nonce = secrets.token_bytes(NONCE_BYTES)
    identity = session.identify(nonce, deadline.within(CONNECT_TIMEOUT_S))
    demand_this_build(identity, blank.build_id)
    index, model = _find_model(session, info, deadline)
    demand_this_model(model, identity, info)
    fault = session.read_fault(deadline) if identity.has_fault else b""

    answers = _run_all(session, index, info, data, count, run_timeout_s, deadline, listener)
    statistics = session.statistics(index, deadline)
    completion = session.end(count, deadline)

    compared = [
        compare_output(output, data.golden[output][:count], got, info.tolerance_of(output))
        for output, got in enumerate(answers.outputs)
    ]
    mismatches = sorted(
        (found for one in compared for found in one.mismatches), key=lambda found: (found.sample, found.output)
    )
    bound = load_bound(build_dir)
    against = (*objections(session, completion, nonce, count), *stack_objections(statistics, bound))
    wrong = {found.sample for found in mismatches}
    tolerated = {sample for one in compared for sample in one.tolerated} - wrong
    return replace(
        blank,
        verdict=_verdict(bool(against), mismatches, count, data.samples),
        npu=identity.npu_config,
        boot_id=identity.boot_id,
        pte_sha256=model.header.pte_sha256,
        samples=count,
        data_set_samples=data.samples,
        identical_samples=count - len(wrong) - len(tolerated),
        tolerated_samples=len(tolerated),
        mismatched_samples=len(wrong),
        values=sum(one.elements for one in compared),
        differing_values=sum(one.differing for one in compared),
        max_tolerated_difference=max((one.max_difference for one in compared), default=0.0),
        mismatches=tuple(mismatches[:MISMATCHES_KEPT]),
        accuracy=None
        if data.labels is None
        else accuracy(
            data.labels[:count],
            answers.outputs[0],
            data.golden[0][:count],
            data.quantised[0][:count],
            data.fp32[0][:count],
        ),
        rounding=rounding(data.golden, data.quantised),
        latency=Latency(
            device_us=Spread.of([run.duration_us for run in answers.runs]),
            cpu_cycles=Spread.of([run.cpu_cycles for run in answers.runs]),
            npu_cycles=Spread.of([run.npu_cycles for run in answers.runs]),
            host_ms=Spread.of(list(answers.host_ms)),
        ),
        memory=statistics,
        stack_bound=bound,
        retries_used=session.retries_used,
        noise_before_session=session.noise_before_session,
        earlier_fault=describe_fault(fault) if fault else "",
        log=tuple(f"{line.level.name.lower()}: {line.text}" for line in session.log),
        objections=against,
        observations=Observations(info, data, answers.outputs, tuple(float(run.duration_us) for run in answers.runs)),
    )


def _run_all(
    session: Session,
    index: int,
    info: ModelInfo,
    data: DataSet,
    count: int,
    run_timeout_s: float,
    deadline: Deadline,
    listener: Listener,
) -> _Answers:
    dtypes = [np.dtype(about.dtype).newbyteorder("<") for about in info.outputs]
    sizes = [array[0].nbytes for array in data.golden]
    rows: list[list[NDArray[Any]]] = [[] for _ in info.outputs]
    runs: list[RunDone] = []
    host_ms: list[float] = []
    for sample in range(count):
        start = time.monotonic()
        done, outputs = session.infer(index, sample + 1, data.input_bytes(sample), sizes, run_timeout_s, deadline)
        host_ms.append((time.monotonic() - start) * 1e3)
        runs.append(done)
        for row, raw, dtype, golden in zip(rows, outputs, dtypes, data.golden, strict=True):
            row.append(np.frombuffer(raw, dtype).reshape(golden[sample].shape).astype(golden.dtype))
        listener.on_sample(sample + 1, count)
    return _Answers(tuple(np.stack(row) for row in rows), tuple(runs), tuple(host_ms))


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


def _verdict(objected: bool, mismatches: list[Mismatched], count: int, in_data_set: int) -> str:
    if mismatches:
        return record.MISMATCH if not objected else record.ERROR
    if objected or count == 0:
        return record.ERROR
    return record.PASS if count == in_data_set else record.PARTIAL


def _sample_count(asked: int | None, data: DataSet) -> int:
    if asked is None:
        return data.samples
    if asked < 1:
        raise ConfigError(f"--samples {asked}: nothing would be proved", hint="leave it out to check all samples")
    return min(asked, data.samples)


def _cause_of_death(target: Target, error: PilotlightError) -> PilotlightError:
    """A silent or failing target may be a dead one: say so, and of what."""
    patience = Deadline(OBITUARY_S)
    while not (reason := target.obituary()) and not patience.passed:
        time.sleep(0.05)
    if not reason:
        return error
    return TargetDied(f"the target died during the check: {reason}\n  noticed by: {error}", hint="west flash")


def _npu_is_simulated(board: str) -> bool:
    """Whether the board's NPU is a simulator behind a mailbox. A board that is gone since says nothing."""
    try:
        return load_board(board).npu.port == "mailbox"
    except ConfigError:
        return False


def _build_info(build_dir: Path) -> dict[str, str]:
    path = build_dir / "build_info.json"
    hint = "west build"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        return {key: str(info[key]) for key in ("board", "model", "build_id")}
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist: there is no finished build", hint=hint) from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a build description ({error})", hint=hint) from error
