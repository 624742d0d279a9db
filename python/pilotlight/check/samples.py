# SPDX-License-Identifier: Apache-2.0
"""Runs the samples of all models on the device and keeps the answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import ModelInfo
from pilotlight.check.data_set import DataSet
from pilotlight.codegen import Arenas
from pilotlight.deadline import Deadline
from pilotlight.errors import TargetNotRunning
from pilotlight.link import Session
from pilotlight.link.answers import ModelDescription, RunDone


@dataclass(frozen=True)
class Subject:
    """A model to check, with its first `count` samples. memory: its computed memory."""

    info: ModelInfo
    bundle: Path
    data: DataSet
    count: int
    memory: Arenas


@dataclass
class Answers:
    """The device's answers for one model, by sample. outputs: a list per output."""

    outputs: list[list[NDArray[Any]]]
    runs: list[RunDone] = field(default_factory=list)
    host_ms: list[float] = field(default_factory=list)


def find_model(session: Session, info: ModelInfo, deadline: Deadline) -> tuple[int, ModelDescription]:
    """Return the model's index in the image and its description. Raises TargetNotRunning."""
    names = []
    for index in range(session.identity.model_count):
        model = session.describe_model(index, deadline)
        if model.header.name == info.name:
            return index, model
        names.append(model.header.name)
    raise TargetNotRunning(
        f"the image holds {', '.join(names) or 'no model'}, not {info.name}", hint="build and flash again"
    )


def run_all(
    session: Session,
    indices: list[int],
    subjects: list[Subject],
    run_timeout_s: float,
    deadline: Deadline,
    on_sample: Callable[[int, int], None],
) -> list[Answers]:
    """Run all samples. Models alternate, so that a model that disturbs another is noticed.

    indices: of the subjects' models in the image. on_sample: gets the number of samples that are
    done, and of all samples.
    """
    answers = [Answers([[] for _ in subject.info.outputs]) for subject in subjects]
    samples = sum(subject.count for subject in subjects)
    done = 0
    for sample in range(max(subject.count for subject in subjects)):
        for index, subject, answer in zip(indices, subjects, answers, strict=True):
            if sample < subject.count:
                done += 1
                _run_sample(session, index, done, subject, sample, answer, run_timeout_s, deadline)
                on_sample(done, samples)
    return answers


def _run_sample(
    session: Session,
    index: int,
    number: int,
    subject: Subject,
    sample: int,
    answer: Answers,
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
