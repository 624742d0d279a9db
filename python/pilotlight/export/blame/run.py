# SPDX-License-Identifier: Apache-2.0
"""Runs `pilotlight blame`, from the model file to the result."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.export.model.model_file import find_model_file
from pilotlight.export.model.model_modules import importable
from pilotlight.export.model.steps import Steps
from pilotlight.export.preload import import_upstream, one_thread
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.export_options import ExportOptions

if TYPE_CHECKING:
    from pilotlight.export.blame.record import Blame
    from pilotlight.export.blame.stages import Stage
    from pilotlight.export.compiled import CompiledModel


def blame_model(model: str, options: ExportOptions, samples: int, progress: Callable[[str], None]) -> Blame:
    """Compile `model` for `options.npu` and run its first `samples` samples on each stage.

    progress: called with one line per step. Raises the same errors as an export.
    """
    file = find_model_file(model)
    with tempfile.TemporaryDirectory(prefix="pilotlight-blame-") as folder:
        log = NoiseLog(Path(folder) / "blame.log")
        steps = Steps(log, progress)
        try:
            steps.tell(f"loading {file}")
            with steps.step("import"):
                import_upstream()
            with one_thread(), importable(file.parent):
                return _blame(file, options, samples, steps, Path(folder) / "vela")
        finally:
            log.close()


def _blame(file: Path, options: ExportOptions, samples: int, steps: Steps, work: Path) -> Blame:
    from pilotlight.export.blame.findings import blame
    from pilotlight.export.compiled import compile_model

    compiled = compile_model(file, options, steps, work)
    with steps.step("stages"):
        stages = _stages(compiled)
    given: Sequence[Sequence[Any]] = compiled.samples.first(samples)
    with steps.step("blame"):
        return blame(
            compiled.spec.name,
            options.npu,
            stages,
            given,
            compiled.attempt.comparison.module,
            compiled.attempt.comparison.results,
            compiled.captured.operators,
            lambda done: steps.tell(f"  sample {done} of {len(given)}"),
        )


def _stages(compiled: CompiledModel) -> list[Stage]:
    """Return the stages of this model.

    A model that came quantised has no FP32 stage. An NPU without a simulator has no simulator
    stage.
    """
    from pilotlight.export.blame.stages import FloatStage, QuantisedStage, SimulatorStage, TosaStage
    from pilotlight.export.quantising.quantise import observed

    attempt, module = compiled.attempt, compiled.attempt.quantised.module
    stages: list[Stage] = [QuantisedStage(module), TosaStage(attempt.comparison, attempt.lowered)]
    if not compiled.captured.quantised:
        graph = observed(compiled.captured, compiled.spec, compiled.compile_spec, attempt.in_float)
        stages.insert(0, FloatStage(graph, module))
    stages.append(SimulatorStage(attempt.comparison, attempt.lowered))
    return stages
