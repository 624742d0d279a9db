# SPDX-License-Identifier: Apache-2.0
"""Runs a check: every sample of every model on the powered target, and the verdict."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.build_folder import BuildFolder, BuildInfo
from pilotlight.bundle import ModelInfo, load_model_info
from pilotlight.check import record
from pilotlight.check.connection import Target, cause_of_death, connect
from pilotlight.check.data_set import DataSet, load_data_set
from pilotlight.check.evidence import (
    demand_these_expectations,
    demand_this_build,
    demand_this_model,
    memory_objections,
    objections,
    stack_objections,
)
from pilotlight.check.judge import judge, worst
from pilotlight.check.record import CheckReport, ModelReport
from pilotlight.check.samples import Subject, find_model, run_all
from pilotlight.codegen import Arenas
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, ConsoleBusy, LinkTimeout, PilotlightError, TargetError
from pilotlight.fault import decode_fault
from pilotlight.files import write_atomically
from pilotlight.link import Link, Session
from pilotlight.link.answers import LogLine
from pilotlight.link.messages import NONCE_BYTES
from pilotlight.stack import load_bound

# Limits of the whole check, of one inference on the device, and of the target's first answer.
TIMEOUT_S = 3600.0
RUN_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Listener:
    """Callbacks for the progress of a check."""

    on_sample: Callable[[int, int], None] = lambda done, samples: None
    on_log: Callable[[LogLine], None] = lambda line: None


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
    blank = _blank(build, infos)
    try:
        subjects = []
        for info, bundle, built in zip(infos, bundles, build.models, strict=True):
            data = load_data_set(bundle, info)
            demand_these_expectations(bundle, built.expectations)
            subjects.append(Subject(info, bundle, data, _sample_count(samples, data), Arenas.from_json(built.memory)))
        target = connect(build_dir, deadline.within(CONNECT_TIMEOUT_S))
        try:
            report = _converse(
                target.link, folder, build, blank, subjects, retries, run_timeout_s, deadline, listener or Listener()
            )
        except ConsoleBusy:
            raise
        except (LinkTimeout, TargetError) as error:
            raise cause_of_death(target, error) from error
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
    subjects: list[Subject],
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
        index, model = find_model(session, subject.info, deadline)
        demand_this_model(model, identity, subject.info)
        indices.append(index)
    fault = session.read_fault(deadline) if identity.has_fault else b""

    answers = run_all(session, indices, subjects, run_timeout_s, deadline, listener.on_sample)
    statistics = [session.statistics(index, deadline) for index in indices]
    runs = sum(subject.count for subject in subjects)
    completion = session.end(runs, deadline)

    bound = load_bound(folder.stack_bound)
    against = [*objections(session, completion, nonce, runs)]
    for subject, used in zip(subjects, statistics, strict=True):
        against += stack_objections(used, bound)
        against += memory_objections(subject.info.name, used, subject.memory)
    reports = tuple(map(judge, subjects, answers, statistics))
    return replace(
        blank,
        verdict=record.ERROR if against else worst(reports),
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


def _sample_count(asked: int | None, data: DataSet) -> int:
    if asked is None:
        return data.samples
    if asked < 1:
        raise ConfigError(f"--samples {asked}: nothing would be proved", hint="leave it out to check all samples")
    return min(asked, data.samples)


def _blank(build: BuildInfo, infos: list[ModelInfo]) -> CheckReport:
    """Return the report of a check that has begun, without results."""
    return CheckReport(
        verdict=record.ERROR,
        board=build.board,
        build_id=build.build_id,
        npu_is_simulated=_npu_is_simulated(build.board),
        clock=_clock(build.board),
        started=datetime.now(timezone.utc),
        models=tuple(ModelReport(info.name, info.npu) for info in infos),
    )


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
