# SPDX-License-Identifier: Apache-2.0
"""Golden outputs: runs the edge program, with the TOSA reference model in place of the NPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import tosa_reference_model
from executorch.exir.delegate import executorch_call_delegate
from numpy.typing import NDArray
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils._pytree import tree_leaves

from pilotlight.bundle import EXACT, Tolerance
from pilotlight.export.golden.row_file import RowFile
from pilotlight.export.golden.tolerance import Noise, Rounding, Spread
from pilotlight.export.graph.state import Sampling
from pilotlight.export.lowering.lower import Lowered
from pilotlight.export.lowering.tensor_io import Quantisation, dim_order
from pilotlight.export.report.accuracy import output_accuracy, real
from pilotlight.export.report.report import MetricReport, OutputAccuracy
from pilotlight.metrics import Metric
from pilotlight.metrics.changes import changes

# The number of samples whose golden outputs are also computed with noise, and the number of noisy
# runs for each of these samples.
_NOISY_SAMPLES = 16
_NOISY_RUNS = 2


class GoldenModel:
    """Runs one sample at a time: delegates in the TOSA reference model, other operators in PyTorch.

    sequence: each sample starts with the state that the last one left, not with the initial state.
    noise: changes the results of CPU operators that may round differently on the device.
    """

    def __init__(self, lowered: Lowered, *, sequence: bool, noise: Noise | None = None) -> None:
        program = lowered.program
        graphs = {id(delegate.module): delegate.compilation.tosa for delegate in lowered.delegates}
        self._interpreter = _Interpreter(program.graph_module, graphs, noise)
        self._held = [_held(program, spec) for spec in program.graph_signature.input_specs]
        self._mutated = _mutated(program.graph_signature)
        self._carried = _carried(program.graph_signature) if sequence else {}
        self._outputs = len(lowered.boundary.outputs)

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs. inputs: as the device gets them."""
        return self._results(inputs)[-self._outputs :]

    def calls(self, inputs: Sequence[Any]) -> list[DelegateCall]:
        """Return inputs and outputs of each delegate call, in order."""
        return self.followed(inputs).calls

    def followed(self, inputs: Sequence[Any]) -> Followed:
        """Return outputs, next state and delegate calls of one sample."""
        calls: list[DelegateCall] = []
        self._interpreter.calls = calls
        results = self._results(inputs)
        self._interpreter.calls = None
        state = {buffer: results[position] for position, buffer in self._mutated.items()}
        return Followed(results[-self._outputs :], state, calls)

    def _results(self, inputs: Sequence[Any]) -> list[Any]:
        given = iter(inputs)
        # A program may write to its own tensors. Copies keep the file's values for the next sample.
        arguments = [next(given) if held is None else held.clone() for held in self._held]
        with torch.no_grad():
            results = list(self._interpreter.run(*arguments))
        for position, held in self._carried.items():
            self._held[held] = results[position].clone()
        return results


class Answers:
    """Inputs and outputs of all samples, one row for each sample, as the bundle keeps them.

    exact: the operators whose kernels give PyTorch's bits (`kernel_list.exact_operators`).
    """

    def __init__(
        self, fp32_module: Any, quantised_module: Any, lowered: Lowered, *, exact: frozenset[str], sequence: bool
    ) -> None:
        self._fp32 = Sampling(fp32_module, sequence=sequence)
        self._quantised = Sampling(quantised_module, sequence=sequence)
        self._golden = GoldenModel(lowered, sequence=sequence)
        self._boundary = lowered.boundary
        self._inputs: list[RowFile] = []
        self._rows: dict[str, list[NDArray[Any]]] = {}
        self._spreads = [Spread(info) for info in lowered.boundary.outputs]
        rounding = Rounding(exact)
        outputs = lowered.program.graph.output_node().args[0]
        self._depend_on_rounding = rounding.reaches(lowered.program, outputs[-len(self._spreads) :])
        noise = Noise(rounding, torch.Generator().manual_seed(0))
        self._noisy = [GoldenModel(lowered, sequence=sequence, noise=noise) for _ in range(_NOISY_RUNS)]
        self._noisy_samples = None if sequence else _NOISY_SAMPLES
        self.samples = 0

    def add(self, sample: Sequence[Any]) -> None:
        """Run one sample through the FP32 model, the quantised model and the golden model."""
        boundary = self._boundary
        with torch.no_grad():
            fp32 = tree_leaves(self._fp32(*sample))
            quantised = quantised_values(tree_leaves(self._quantised(*sample)), boundary.output_quantisation)
            inputs = quantised_values(sample, boundary.input_quantisation)
            golden = self._golden(inputs)
        self._inputs = self._inputs or [RowFile() for _ in inputs]
        for file, value in zip(self._inputs, inputs, strict=True):
            file.add(value.detach().numpy())
        for kind, values in (("golden", golden), ("quantised", quantised), ("fp32", fp32)):
            for index, value in enumerate(values):
                self._rows.setdefault(f"{kind}_{index}", []).append(value.detach().numpy().copy())
        few = self._noisy_samples is None or self.samples < self._noisy_samples
        if few and any(self._depend_on_rounding):
            for noisy_model in self._noisy:
                for spread, exact, value in zip(self._spreads, golden, noisy_model(inputs), strict=True):
                    spread.add(exact.numpy(), value.numpy())
        self.samples += 1

    def tolerances(self) -> tuple[Tolerance, ...]:
        """Return one tolerance for each output: EXACT unless the output depends on rounding."""
        return tuple(
            spread.tolerance() if depends else EXACT
            for spread, depends in zip(self._spreads, self._depend_on_rounding, strict=True)
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of golden.npz. A batch dimension of one is left out there.

        The inputs are read from a file when they are used.
        """
        arrays = {f"input_{index}": file.array() for index, file in enumerate(self._inputs)}
        for name, rows in self._rows.items():
            stacked = np.stack(rows)
            arrays[name] = stacked.astype(np.float32) if name.startswith("fp32_") else stacked
        return {
            name: stacked[:, 0] if stacked.ndim > 1 and stacked.shape[1] == 1 else stacked
            for name, stacked in arrays.items()
        }

    def accuracy(self) -> tuple[OutputAccuracy, ...]:
        """Return the accuracy of each output against FP32, over all samples."""
        arrays = self.arrays()
        return tuple(
            output_accuracy(info, arrays[f"fp32_{i}"], arrays[f"quantised_{i}"], arrays[f"golden_{i}"])
            for i, info in enumerate(self._boundary.outputs)
        )

    def metric(self, metric: Metric, labels: Any, class_labels: Sequence[str]) -> MetricReport:
        """Return the metric of all stages. labels: of all samples."""
        arrays, infos = self.arrays(), self._boundary.outputs

        def outputs(kind: str) -> tuple[NDArray[Any], ...]:
            stored = [arrays[f"{kind}_{index}"] for index in range(len(infos))]
            if kind == "fp32":
                return tuple(stored)
            return tuple(real(value, info) for value, info in zip(stored, infos, strict=True))

        fp32, golden = outputs("fp32"), outputs("golden")
        return MetricReport(
            name=metric.title,
            higher_is_better=metric.higher_is_better,
            fp32=metric.of(fp32, labels, "FP32"),
            quantised=metric.of(outputs("quantised"), labels, "quantised"),
            golden=metric.of(golden, labels, "golden"),
            changes=changes(metric, fp32, golden, labels, class_labels),
        )


def quantised_values(values: Sequence[Any], quantisations: Sequence[Quantisation | None]) -> list[Any]:
    """Quantise like the quantised model, so that the device gets the same integers.

    For outputs this quantisation is exact, because the model's last step dequantised the same
    integers.
    """
    quantize = torch.ops.quantized_decomposed.quantize_per_tensor
    return [
        quantize(value.contiguous(), *way) if way else value for value, way in zip(values, quantisations, strict=True)
    ]


@dataclass(frozen=True)
class DelegateCall:
    """One call of a delegate.

    delegate: its index in the program. Arrays and their shapes are in the order of memory.
    """

    delegate: int
    inputs: list[NDArray[Any]]
    outputs: list[NDArray[Any]]


@dataclass(frozen=True)
class Followed:
    """What one sample led to.

    outputs: the user's outputs. state: the next value of each buffer that the program changes, by
    the buffer's name.
    """

    outputs: list[Any]
    state: dict[str, Any]
    calls: list[DelegateCall]


class _Interpreter(torch.fx.Interpreter):  # type: ignore[misc]
    def __init__(self, graph_module: Any, tosa_graphs: dict[int, bytes], noise: Noise | None) -> None:
        super().__init__(graph_module)
        self._tosa_graphs = tosa_graphs
        self._index = {module: index for index, module in enumerate(tosa_graphs)}
        self._noise = noise
        self.calls: list[DelegateCall] | None = None

    def run_node(self, n: Any) -> Any:
        value = super().run_node(n)
        return value if self._noise is None else self._noise.after(n, value)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target is not executorch_call_delegate:
            return super().call_function(target, args, kwargs)
        module, *inputs = args
        outputs = run_tosa(self._tosa_graphs[id(module)], inputs, module)
        if self.calls is not None:
            arrays = [
                [_in_memory(value, like) for value, like in zip(values, likes, strict=True)]
                for values, likes in zip((inputs, outputs), _tensors(module), strict=True)
            ]
            self.calls.append(DelegateCall(self._index[id(module)], *arrays))
        return outputs


def run_tosa(graph: bytes, inputs: Sequence[Any], module: Any) -> list[Any]:
    """Run one delegate's TOSA graph and return its outputs as tensors.

    The reference model's arrays are in the order of memory. The delegate's module has the order of
    dimensions. Raises RuntimeError if the reference model refuses the graph.
    """
    takes, gives = _tensors(module)
    arrays = [_in_memory(value, like) for value, like in zip(inputs, takes, strict=True)]
    results, status = tosa_reference_model.run(graph, arrays)
    if status != tosa_reference_model.GraphStatus.TOSA_VALID:
        raise RuntimeError(f"the TOSA reference model did not accept a delegate's graph: {status}")
    outputs = []
    for result, like in zip(results, gives, strict=True):
        order = dim_order(like)
        inverse = sorted(range(len(order)), key=order.__getitem__)
        stored = torch.from_numpy(result).reshape([like.shape[axis] for axis in order])
        outputs.append(stored.permute(inverse).to(like.dtype))
    return outputs


def _tensors(module: Any) -> tuple[list[Any], list[Any]]:
    """Return a delegate's inputs and outputs, as tensors without values."""
    program = module.original_module
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    return (
        [values[name] for name in program.graph_signature.user_inputs],
        [node.meta["val"] for node in program.graph.output_node().args[0]],
    )


def _in_memory(value: Any, like: Any) -> NDArray[Any]:
    return np.ascontiguousarray(value.numpy().transpose(dim_order(like)))


def _held(program: Any, spec: Any) -> Any:
    """Return the tensor that the program holds for an input, None for an input from the user."""
    if spec.kind == InputKind.USER_INPUT:
        return None
    if spec.target in program.state_dict:
        return program.state_dict[spec.target]
    return program.constants[spec.target]


def _mutated(signature: Any) -> dict[int, str]:
    """Return position of a result -> name of the buffer whose next value it is."""
    return {
        position: spec.target
        for position, spec in enumerate(signature.output_specs)
        if spec.kind == OutputKind.BUFFER_MUTATION
    }


def _carried(signature: Any) -> dict[int, int]:
    """Return position of a result -> index of the argument whose next value it is."""
    buffers = {spec.target: index for index, spec in enumerate(signature.input_specs) if spec.kind == InputKind.BUFFER}
    return {position: buffers[target] for position, target in _mutated(signature).items()}
