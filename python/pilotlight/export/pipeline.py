# SPDX-License-Identifier: Apache-2.0
"""Runs all steps of an export, from model file to bundle. See DESIGN.md."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pilotlight.bundle import EXACT, MetricInfo, ModelInfo, TensorInfo, Tolerance
from pilotlight.debug_info import DebugInfo
from pilotlight.errors import ConfigError, PilotlightError
from pilotlight.export.lowering.demands import demand_full_delegation, demand_kernels
from pilotlight.export.lowering.npu_choice import NpuChoice, resolve
from pilotlight.export.model.model_file import find_model_file
from pilotlight.export.model.model_modules import importable
from pilotlight.export.model.steps import Steps, counted
from pilotlight.export.preload import import_upstream, one_thread
from pilotlight.export.report.report import ExportReport, Sizes
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.export_options import ExportOptions
from pilotlight.kernels.kernel_list import exact_operators, read_kernels
from pilotlight.labels import save_labels
from pilotlight.metrics import Metric
from pilotlight.model_spec import ModelSpec
from pilotlight.pte import read_program
from pilotlight.recipe import as_recipe

# The build adds inputs.json.
BUNDLE_FILES = frozenset(
    {"model.pte", "model.json", "golden.npz", "labels.json", "report.json", "debug.json", "export.log", "inputs.json"}
)

_CAME_QUANTISED = (
    "the model came quantised: its ranges are kept, and what this report compares with as FP32 is that model itself"
)


def run_export(model: str, out: Path, options: ExportOptions, progress: Callable[[str], None]) -> ExportReport:
    """See `pilotlight.export.export_model`."""
    out = Path(out).absolute()
    file = find_model_file(model)
    resolve(
        options.npu,
        options.system_config or options.board_system_config,
        options.memory_mode or options.board_memory_mode,
    )
    as_recipe(options.quantisation)  # A wrong text is refused before PyTorch is imported.
    _refuse_foreign_folder(out)
    failed_log = out.with_name(out.name + ".failed.log")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        failed_log.unlink(missing_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written ({error.strerror})", hint="name another folder") from error
    log = NoiseLog(partial / "export.log")
    try:
        steps = Steps(log, progress)
        steps.tell(f"loading {file}")
        with steps.step("import"):
            import_upstream()
        # ExecuTorch splits Vela's arguments at blanks, and the user's path may have some.
        with (
            tempfile.TemporaryDirectory(prefix="pilotlight-vela-") as work,
            one_thread(),
            importable(file.parent),
        ):
            report = _export(file, partial, options, steps, Path(work))
        log.close()
        _replace(out, partial)
    except PilotlightError as error:
        log.close()
        shutil.move(log.path, failed_log)
        error.hint = f"{error.hint}\n  log: {failed_log}".removeprefix("\n  ")
        raise
    finally:
        log.close()
        shutil.rmtree(partial, ignore_errors=True)
    return report


def _export(file: Path, folder: Path, options: ExportOptions, steps: Steps, work: Path) -> ExportReport:
    from pilotlight.export.compiled import compile_model
    from pilotlight.export.golden import golden
    from pilotlight.export.graph.state import demand_kept
    from pilotlight.export.lowering.emit import emit
    from pilotlight.export.origins import output_origins
    from pilotlight.export.report.findings import findings
    from pilotlight.export.report.input_data import InputStatistics

    model = compile_model(file, options, steps, work)
    spec, captured, attempt, samples = model.spec, model.captured, model.attempt, model.samples
    quantised, lowered = attempt.quantised, attempt.lowered
    demand_kept(lowered.program, model.state)
    steps.seconds["lower"] -= lowered.vela_seconds
    steps.seconds["vela"] = lowered.vela_seconds
    if options.require_full_delegation:
        demand_full_delegation(lowered.on_cpu)
    with steps.step("emit"):
        pte = emit(lowered, model.ties)
    kernels = read_kernels()
    (method,) = read_program(pte).methods.values()
    demand_kernels(method.kernel_dtypes, kernels, lowered.on_cpu)

    steps.tell(f"computing golden outputs of {counted(samples.count(), 'sample')}")
    answers = golden.Answers(
        spec.module, quantised.module, lowered, exact=exact_operators(kernels), sequence=spec.sequence
    )
    statistics = [InputStatistics(info.name) for info in lowered.boundary.inputs]
    for sample in spec.calibration:
        for one, value in zip(statistics, sample, strict=True):
            one.calibrate(value.numpy())
    for done, sample in enumerate(samples, start=1):
        with steps.step("golden"):
            answers.add(sample)
        for one, value in zip(statistics, sample, strict=True):
            one.add(value.numpy())
        steps.tell_sometimes(f"  {done} of {samples.count()}")

    report = _report(spec, file, model.npu, lowered, answers, len(pte), steps)
    came = (_CAME_QUANTISED,) if captured.quantised else _few_samples(spec)
    given = tuple(one.result() for one in statistics)
    origins = output_origins(captured, len(report.outputs))
    found = findings(given, lowered.boundary.outputs, report.outputs, origins, answers.arrays(), answers.tolerances())
    report = replace(report, inputs=given, warnings=found.warnings, weak=found.weak)
    tolerated = _tolerated(lowered.boundary.outputs, answers.tolerances())
    unconfirmed = (attempt.unconfirmed,) if attempt.unconfirmed else ()
    stateful = (_state_note(model.state, spec),) if model.state else ()
    report = replace(
        report,
        recipe="" if model.recipe is None else str(model.recipe),
        notes=(*report.notes, *came, *model.recipe_notes, *model.rewritten, *tolerated, *unconfirmed, *stateful),
        operator_agreement=attempt.comparison.agreement(),
    )
    _write(folder, model, report, answers, pte)
    DebugInfo(
        pte_sha256=hashlib.sha256(pte).hexdigest(),
        system_config=model.npu.system_config,
        streams=tuple(delegate.compilation.debug() for delegate in lowered.delegates),
    ).save(folder)
    return report


def _report(
    spec: ModelSpec, file: Path, npu: NpuChoice, lowered: Any, answers: Any, pte_bytes: int, steps: Steps
) -> ExportReport:
    delegates = tuple(delegate.compilation.report(len(delegate.operators)) for delegate in lowered.delegates)
    notes = list(lowered.notes)
    if spec.data_set is None:
        notes.append("no data set: the golden outputs are of the example inputs alone")
    if not delegates:
        notes.append("nothing runs on the NPU")
    labels = None if spec.data_set is None else spec.data_set.labels
    metric = None
    if isinstance(spec.metric, Metric):
        with steps.step("metric", wrap=False):
            metric = answers.metric(spec.metric, labels, spec.class_labels)
    accuracy = answers.accuracy()
    return ExportReport(
        model=spec.name,
        source=str(file),
        npu=npu.name,
        system_config=npu.system_config,
        memory_mode=npu.memory_mode,
        operators=lowered.operators,
        delegates=delegates,
        samples=answers.samples,
        outputs=accuracy,
        metric=metric,
        sizes=Sizes(
            pte_bytes=pte_bytes,
            weight_bytes=sum(delegate.weight_bytes for delegate in delegates),
            command_bytes=sum(delegate.command_bytes for delegate in delegates),
        ),
        seconds={name: round(seconds, 3) for name, seconds in steps.seconds.items()},
        notes=tuple(notes),
        depends_on=spec.depends_on,
    )


def _few_samples(spec: ModelSpec) -> tuple[str, ...]:
    few = "calibrated on one sample: ranges may be far from real use; give more to quantise well"
    return (few,) if spec.calibration.count() == 1 else ()


def _state_note(buffers: Sequence[str], spec: ModelSpec) -> str:
    named = f"keeps state in {', '.join(buffers)}"
    if spec.sequence:
        return f"{named}: the samples are one sequence, of which the first begins with the initial values"
    return (
        f"{named}: each sample begins with the initial values, so a check does not see what an "
        "inference leaves behind; ModelSpec(sequence=True) makes a sequence of the samples"
    )


def _tolerated(outputs: Sequence[TensorInfo], tolerances: Sequence[Tolerance]) -> list[str]:
    """Return a note for each output that a check will not compare bit for bit."""
    notes = []
    for output, tolerance in zip(outputs, tolerances, strict=True):
        if tolerance != EXACT and output.scale:
            steps = f"{tolerance.max_difference:.0f} step" + "s" * (tolerance.max_difference != 1)
            notes.append(
                f"{output.name} may be off by {steps} in {tolerance.max_share:.1%} of the values on the device: "
                "CPU operators before it round floats"
            )
        elif tolerance != EXACT:
            notes.append(
                f"{output.name} may be off by {tolerance.max_difference:.2g} on the device: "
                "CPU operators before it round floats"
            )
    return notes


def _write(folder: Path, model: Any, report: ExportReport, answers: Any, pte: bytes) -> None:
    spec, boundary = model.spec, model.attempt.lowered.boundary
    (folder / "model.pte").write_bytes(pte)
    ModelInfo(
        name=report.model,
        source=report.source,
        npu=report.npu,
        system_config=report.system_config,
        memory_mode=report.memory_mode,
        inputs=boundary.inputs,
        outputs=boundary.outputs,
        labels=tuple(spec.class_labels),
        pte_sha256=hashlib.sha256(pte).hexdigest(),
        tolerances=answers.tolerances(),
        executorch=version("executorch").partition("+")[0],
        settings_sha256=_settings_hash(report, boundary),
        sequence=spec.sequence,
        warnings=report.warnings,
        weak=report.weak,
        metric=MetricInfo.of(spec.metric) if isinstance(spec.metric, Metric) else None,
        ties=model.ties,
    ).save(folder)
    arrays = answers.arrays()
    if spec.data_set is not None and spec.data_set.labels is not None:
        arrays |= save_labels(folder, spec.data_set.labels)
    np.savez_compressed(folder / "golden.npz", **arrays)
    report.save(folder)


def _settings_hash(report: ExportReport, boundary: Any) -> str:
    """Return a hash of NPU, configuration, recipe, dtypes at the boundary and package versions.

    Two exports of one model with equal hashes were made with the same settings.
    """
    settings = {
        "npu": report.npu,
        "system_config": report.system_config,
        "memory_mode": report.memory_mode,
        "recipe": report.recipe,
        "dtypes": [tensor.dtype for tensor in (*boundary.inputs, *boundary.outputs)],
        "versions": {package: version(package) for package in ("executorch", "torch", "ethos-u-vela")},
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _refuse_foreign_folder(out: Path) -> None:
    """Raise ConfigError if `out` holds a file that is not a bundle's, because `out` is replaced."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: is a file, not a folder for a bundle")
    foreign = sorted({path.name for path in out.iterdir()} - BUNDLE_FILES) if out.exists() else []
    if foreign:
        raise ConfigError(
            f"{out}: holds {foreign[0]}, which is no part of a bundle; an export would replace the folder",
            hint="name a new or empty folder",
        )


def _replace(out: Path, complete: Path) -> None:
    """Put the complete bundle at `out`.

    Between the two renames, `out` does not exist. A half-written bundle is never at `out`.
    """
    complete.chmod(0o755)  # mkdtemp made it private
    old = complete.with_name(complete.name + ".old")
    if out.exists():
        out.rename(old)
    complete.rename(out)
    shutil.rmtree(old, ignore_errors=True)
