# SPDX-License-Identifier: Apache-2.0
"""Judges the device's answers: compares them with the golden outputs, and gives the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pilotlight.check import record
from pilotlight.check.compare import Mismatched, accuracy, compare_output, rounding
from pilotlight.check.measure import measured
from pilotlight.check.record import Latency, ModelReport, Observations, Spread
from pilotlight.check.samples import Answers, Subject
from pilotlight.link.answers import Statistics

MISMATCHES_KEPT = 20


def judge(subject: Subject, answers: Answers, statistics: Statistics) -> ModelReport:
    """Return the report of one model, with its verdict."""
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
        metric=measured(info, data, outputs),
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


def _verdict(mismatches: list[Mismatched], count: int, in_data_set: int, weak: Sequence[str]) -> str:
    if mismatches:
        return record.MISMATCH
    if count == 0:
        return record.ERROR
    if weak:
        return record.WEAK
    return record.PASS if count == in_data_set else record.PARTIAL


def worst(reports: tuple[ModelReport, ...]) -> str:
    """Return the worst verdict of the models; ERROR without models."""
    verdicts = {report.verdict for report in reports}
    order = (record.ERROR, record.MISMATCH, record.WEAK, record.PARTIAL, record.PASS)
    return next((verdict for verdict in order if verdict in verdicts), record.ERROR)
