# SPDX-License-Identifier: Apache-2.0
"""Compiles a model file for one NPU. `export` writes the result; `pilotlight blame` examines it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pilotlight.bundle import Tie
from pilotlight.errors import ConfigError
from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.graph.state import run_once
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import NpuChoice, resolve
from pilotlight.export.model.held_out import HeldOut
from pilotlight.export.model.model_file import load_model
from pilotlight.export.model.samples import Samples, Shapes
from pilotlight.export.model.steps import Steps, counted
from pilotlight.export.model.ties import demand_equal_ranges, resolve_ties, tensors_of_graph
from pilotlight.export.quantising import quantise
from pilotlight.export.quantising.annotations import Choices
from pilotlight.export.rewritings.apply import rewrite
from pilotlight.export.rewritings.softmax import rewrite_softmax
from pilotlight.export_options import ExportOptions
from pilotlight.model_spec import ModelSpec
from pilotlight.recipe import Recipe, as_recipe

# The first sample shows whether the commands compute the model. The second sample shows it for
# another input.
_CONFIRMED_SAMPLES = 2


@dataclass(frozen=True)
class CompiledModel:
    """The result of `compile_model`.

    npu: also has the names of Vela's system configuration and memory mode.
    compile_spec: ExecuTorch's description of the NPU.
    samples: the inputs for golden outputs: the data set, or the example inputs.
    state: names of the buffers that forward changes.
    rewritten: one sentence for each kind of rewriting of the captured graph.
    recipe: what was quantised and how; None if the model came quantised.
    recipe_notes: sentences on settings without effect.
    ties: outputs that the next inference takes as inputs.
    """

    spec: ModelSpec
    npu: NpuChoice
    compile_spec: Any
    samples: HeldOut | Samples
    state: list[str]
    rewritten: list[str]
    captured: quantise.Captured
    attempt: Attempt
    recipe: Recipe | None
    recipe_notes: tuple[str, ...]
    ties: tuple[Tie, ...]


@dataclass(frozen=True)
class CapturedModel:
    """The result of `capture_model`: a model before it is quantised. Fields: see `CompiledModel`.

    spec: its `quantisation` is the recipe that applies, None if the model came quantised.
    """

    spec: ModelSpec
    npu: NpuChoice
    state: list[str]
    rewritten: list[str]
    captured: quantise.Captured
    ties: tuple[Tie, ...]


def capture_model(file: Path, options: ExportOptions, steps: Steps) -> CapturedModel:
    """Load the model in `file`, capture its graph, and rewrite what the NPU would not take.

    Raises ConfigError for a wrong NPU, option or recipe, ModelError for a model that cannot be
    captured.
    """
    with steps.step("model"):
        spec = load_model(file)
        # This runs before torch.export, which would wrap an exception that forward raises.
        state = run_once(spec.module, spec.example_inputs)
    override = spec.npu_options.get(options.npu, {})
    npu = resolve(
        options.npu,
        options.system_config or override.get("system_config") or options.board_system_config,
        options.memory_mode or override.get("memory_mode") or options.board_memory_mode,
    )
    with steps.step("torch.export"):
        captured = quantise.capture(spec)
        ties = resolve_ties(spec.tied, *tensors_of_graph(captured.graph), str(file)) if spec.tied else ()
        # A quantised model is not rewritten: a new operator would lie between two of its roundings
        # and would have no range.
        rewritten = []
        if not captured.quantised:
            fold_constants(captured.graph)
            rewritten = [*rewrite(captured, spec.calibration), *rewrite_softmax(captured, spec.calibration)]
    spec = replace(spec, quantisation=_recipe(spec, options, captured))
    return CapturedModel(spec, npu, state, rewritten, captured, ties)


def compile_model(file: Path, options: ExportOptions, steps: Steps, work: Path) -> CompiledModel:
    """Load, capture, quantise and compile the model in `file`. Vela's files go below `work`.

    Raises ConfigError for a wrong NPU, option or recipe, ModelError for a model that cannot be
    compiled.
    """
    model = capture_model(file, options, steps)
    spec, npu, captured, rewritten = model.spec, model.npu, model.captured, model.rewritten
    float_io = spec.float_io if options.float_io is None else options.float_io
    recipe = None if spec.quantisation is None else as_recipe(spec.quantisation)
    choices = None if recipe is None else Choices(recipe, captured.graph, captured.operators)
    in_float = {} if choices is None else choices.in_float()
    given = counted(spec.calibration.count(), "calibration sample")
    steps.tell("keeping the ranges of a quantised model" if recipe is None else f"quantising to {recipe} with {given}")
    for line in rewritten:
        steps.tell(f"  {line}")
    compile_spec = lower.compile_spec_for(npu)
    steps.tell(f"compiling for {npu.name}, {npu.system_config}, {npu.memory_mode}")
    samples = samples_of(spec)
    confirmed = samples.first(_CONFIRMED_SAMPLES)
    attempts = Attempts(captured, spec, compile_spec, float_io, work, steps, confirmed, in_float, set(in_float))
    notes = () if choices is None else tuple(choices.notes())
    attempt = attempts.run()
    boundary = attempt.lowered.boundary
    demand_equal_ranges(model.ties, boundary.inputs, boundary.outputs, str(file))
    return CompiledModel(
        spec, npu, compile_spec, samples, model.state, rewritten, captured, attempt, recipe, notes, model.ties
    )


def _recipe(spec: ModelSpec, options: ExportOptions, captured: quantise.Captured) -> Recipe | None:
    """Return the recipe, None for a model that came quantised. Such a model takes no recipe."""
    given = spec.quantisation if options.quantisation is None else options.quantisation
    if not captured.quantised:
        return as_recipe(given)
    if given is not None:
        raise ConfigError(
            f"recipe '{given}': {spec.name} came quantised, and keeps its own ranges",
            hint="give the float model, or no recipe",
        )
    return None


def samples_of(spec: ModelSpec) -> HeldOut | Samples:
    """Return the inputs for golden outputs: the data set, or the example inputs."""
    if isinstance(spec.data_set, HeldOut):
        return spec.data_set
    return Samples("example_inputs", [spec.example_inputs], Shapes.of(spec.module, spec.example_inputs))
