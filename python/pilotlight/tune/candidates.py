# SPDX-License-Identifier: Apache-2.0
"""The two stages of a trial: quantised PyTorch alone, and the whole export.

The model is loaded, captured and run in FP32 once for each process. Screening a recipe then costs a
calibration and one run of the samples. Lowering, Vela, the TOSA reference model and the simulator
are left to the export.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._pytree import tree_leaves

from pilotlight.bundle import TensorInfo
from pilotlight.codegen.arenas import plan_arenas
from pilotlight.errors import ConfigError
from pilotlight.export import ExportOptions, ExportReport, export_model
from pilotlight.export.blame.findings import blame
from pilotlight.export.blame.record import Blame
from pilotlight.export.blame.stages import FloatStage, QuantisedStage
from pilotlight.export.compiled import CapturedModel, capture_model, samples_of
from pilotlight.export.graph.state import Sampling
from pilotlight.export.lowering import lower
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising.annotations import Choices
from pilotlight.export.quantising.quantise import observed, quantised_module
from pilotlight.export.report.accuracy import sqnr_db, worst_slices
from pilotlight.pte import read_program
from pilotlight.recipe import FLOAT, PRECISIONS, Recipe, as_recipe
from pilotlight.tune.metric import has_metric, metric_of_outputs, metric_of_report
from pilotlight.tune.quality import OutputQuality, worst_part
from pilotlight.tune.record import Costs, Quality

_BLAMED_SAMPLES = 4
_POINTER_BYTES = 4


class Candidates:
    """One model, for which recipes are judged.

    Raises the errors of an export, and ConfigError for a model that came quantised.
    """

    def __init__(self, file: Path, options: ExportOptions, steps: Steps) -> None:
        self._file, self._options, self._steps = file, options, steps
        self._model: CapturedModel = capture_model(file, options, steps)
        spec = self._model.spec
        if spec.quantisation is None:
            raise ConfigError(
                f"{spec.name} came quantised: its ranges are its own, and there is no recipe to find",
                hint="tune the float model",
            )
        self._compile_spec = lower.compile_spec_for(self._model.npu)
        with steps.step("FP32"):
            outputs = self._outputs(spec.module)
        self._shapes = [value.shape[1:] for value in outputs]
        self._fp32 = [_without_batch(value) for value in outputs]
        self._largest = [float(np.abs(np.where(np.isfinite(v), v, 0.0)).max(initial=0.0)) for v in self._fp32]

    @property
    def name(self) -> str:
        return self._model.spec.name

    @property
    def has_metric(self) -> bool:
        return has_metric(self._model.spec)

    @property
    def samples(self) -> int:
        """The number of samples that recipes are judged on."""
        return len(self._fp32[0]) if self._fp32 else 0

    @property
    def has_data_set(self) -> bool:
        return self._model.spec.data_set is not None

    @property
    def own_recipe(self) -> Recipe:
        """The recipe of the model file or of --quantise, or the default."""
        return as_recipe(self._model.spec.quantisation)

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what a trial finds, apart from the recipe."""
        model = self._model
        digest = hashlib.sha256(f"{model.npu} {model.spec.npu_options} {model.spec.sequence}".encode())
        digest.update(f"{self._options.float_io} {model.spec.float_io} {model.captured.graph.graph}".encode())
        for name, value in model.captured.graph.state_dict().items():
            digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
        for sample in (*model.spec.calibration, *samples_of(model.spec)):
            for value in sample:
                digest.update(value.detach().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def choices(self, recipe: Recipe) -> Choices:
        """Return what a recipe decides for this model. Raises ConfigError if it cannot apply."""
        return Choices(recipe, self._model.captured.graph, self._model.captured.operators)

    def widths(self, recipe: Recipe) -> tuple[tuple[int, int], ...]:
        """Return the bits of values and weights at each operator, input and output of the model."""
        choices = self.choices(recipe)
        precisions = [choices.of(node).precision for node in self._model.captured.graph.graph.nodes]
        return tuple((32, 32) if name == FLOAT else PRECISIONS[name][:2] for name in precisions)

    def screen(self, recipe: Recipe) -> Quality:
        """Return quantised PyTorch against FP32.

        Raises ConfigError if the NPU cannot run the recipe, and ModelError if upstream's quantiser
        fails; an export may then still succeed, with operators on the CPU.
        """
        spec = replace(self._model.spec, quantisation=recipe)
        in_float = set(self.choices(recipe).in_float())
        with self._steps.step("screen"):
            module = quantised_module(self._model.captured, spec, self._compile_spec, in_float)
            outputs = [_without_batch(value) for value in self._outputs(module)]
        found = [
            OutputQuality(info.name, sqnr_db(fp32, values), worst_slices(info, fp32, values), largest)
            for info, fp32, values, largest in zip(self._infos(module), self._fp32, outputs, self._largest, strict=True)
        ]
        sqnr, worst = worst_part(found)
        return Quality(sqnr, worst, metric_of_outputs(spec, outputs, self._fp32))

    def export(self, recipe: Recipe, folder: Path, progress: Callable[[str], None]) -> tuple[Quality, Costs]:
        """Export with a recipe to `folder`. Return golden outputs against FP32, and the costs.

        Raises the errors of an export.
        """
        options = replace(self._options, quantisation=str(recipe))
        report = export_model(str(self._file), options, folder, progress=progress)
        (method,) = read_program((folder / "model.pte").read_bytes()).methods.values()
        arenas = plan_arenas(method, "ours", _POINTER_BYTES)
        ram = arenas.method_pool + arenas.npu_visible + arenas.kept_bytes
        costs = Costs(report.total_cycles, report.sizes.pte_bytes, ram, len(report.on_cpu))
        return self._quality(report), costs

    def losses(self, recipe: Recipe) -> Blame:
        """Return what each operator loses by quantising with a recipe. Errors: `screen`."""
        spec = replace(self._model.spec, quantisation=recipe)
        captured, in_float = self._model.captured, set(self.choices(recipe).in_float())
        with self._steps.step("losses"):
            module = quantised_module(captured, spec, self._compile_spec, in_float)
            graph = observed(captured, spec, self._compile_spec, in_float)
            samples = samples_of(spec).first(_BLAMED_SAMPLES)
            stages = (FloatStage(graph, module), QuantisedStage(module))
            npu = self._model.npu.name
            return blame(spec.name, npu, stages, samples, module, (), captured.operators, lambda _: None)

    def _quality(self, report: ExportReport) -> Quality:
        found = [
            OutputQuality(output.name, output.sqnr_golden_db, output.worst_slices, largest)
            for output, largest in zip(report.outputs, self._largest, strict=True)
        ]
        sqnr, worst = worst_part(found)
        return Quality(sqnr, worst, metric_of_report(report))

    def _outputs(self, module: Any) -> list[NDArray[Any]]:
        """Return each output of all samples, [samples, ...]."""
        sampling = Sampling(module, sequence=self._model.spec.sequence)
        with torch.no_grad():
            rows = [
                [value.detach().numpy().copy() for value in tree_leaves(sampling(*sample))]
                for sample in samples_of(self._model.spec)
            ]
        return [np.stack(values) for values in zip(*rows, strict=True)]

    def _infos(self, module: Any) -> list[TensorInfo]:
        """Return the outputs as the export names them, with the scales of the quantised module."""
        leaves = tree_leaves(module.graph.output_node().args)
        infos = []
        for index, (leaf, fp32) in enumerate(zip(leaves, self._fp32, strict=True)):
            name = "output" if len(leaves) == 1 else f"output_{index}"
            scaled = isinstance(leaf, torch.fx.Node) and "dequantize_per_tensor" in str(leaf.target)
            scale, zero_point = leaf.args[1:3] if scaled else (0.0, 0)
            infos.append(TensorInfo(name, str(fp32.dtype), self._shapes[index], float(scale), int(zero_point)))
        return infos


def _without_batch(values: NDArray[Any]) -> NDArray[Any]:
    """Return an output of all samples as the bundle keeps it, without a batch dimension of one."""
    return values[:, 0] if values.ndim > 1 and values.shape[1] == 1 else values
