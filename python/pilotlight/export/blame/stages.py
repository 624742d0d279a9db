# SPDX-License-Identifier: Apache-2.0
"""The stages from the user's PyTorch model to the NPU, and their intermediate results.

A stage computes the model for one sample. A result has the name of the quantiser after its
operator. Results are in real units, even if the stage computes with integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pilotlight.export.blame.record import FP32
from pilotlight.export.golden.comparison import Comparison, nearest
from pilotlight.export.golden.golden import GoldenModel, quantised_values
from pilotlight.export.graph.state import InitialState
from pilotlight.export.lowering.lower import Lowered
from pilotlight.export.quantising.activations import QUANTISE, is_separation
from pilotlight.npu.delegate_runner import DelegateRunner

# Name of a quantiser -> values in real units.
Results = dict[str, NDArray[np.float64]]


class Stage(Protocol):
    """One stage. name: for the user."""

    @property
    def name(self) -> str: ...

    def results(self, sample: Sequence[Any]) -> Results:
        """Compute the model for `sample`, a tuple of tensors, and return this stage's results."""


class FloatStage:
    """The model in FP32.

    observed: graph with observers. quantised: the quantised module; operators have the same names.
    """

    name = FP32

    def __init__(self, observed: Any, quantised: Any) -> None:
        self._module = observed
        # The quantiser before a separated activation clips only values that the activation drops,
        # so nothing is lost.
        self._sources = {node.args[0].name: node.name for node in _quantisers(quantised) if not is_separation(node)}

    def results(self, sample: Sequence[Any]) -> Results:
        seen = _run(self._module, sample, self._sources)
        return {self._sources[name]: value.double().numpy() for name, value in seen.items()}


class QuantisedStage:
    """The quantised module in PyTorch."""

    name = "quantised PyTorch"

    def __init__(self, quantised: Any) -> None:
        self._module = quantised
        self._quantisers = {node.name: node for node in _quantisers(quantised)}

    def results(self, sample: Sequence[Any]) -> Results:
        seen = _run(self._module, sample, self._quantisers)
        return {name: real(value.numpy(), self._quantisers[name]) for name, value in seen.items()}


class TosaStage:
    """Delegates in the TOSA reference model, the rest in PyTorch.

    It shows results inside delegates.
    """

    name = "TOSA"

    def __init__(self, comparison: Comparison, lowered: Lowered) -> None:
        self._golden = GoldenModel(lowered, sequence=False)
        self._values = [delegate.compilation.values for delegate in lowered.delegates]
        self._boundary = lowered.boundary.input_quantisation
        self._counterparts = [result.counterpart for result in comparison.results]
        self._quantised = QuantisedStage(comparison.module)

    def results(self, sample: Sequence[Any]) -> Results:
        tensors = {
            call.delegate: self._values[call.delegate].run(call.inputs)
            for call in self._golden.calls(quantised_values(sample, self._boundary))
        }
        like = self._quantised.results(sample)
        found = {}
        for counterpart in self._counterparts:
            if counterpart.delegate in tensors:
                stored = tensors[counterpart.delegate][counterpart.tensor.name]
                found[counterpart.quantiser.name] = _as_in_pytorch(stored, counterpart.quantiser, like)
        return found


class SimulatorStage:
    """Delegates on the NPU simulator, the rest in PyTorch. Shows only outputs of delegates."""

    name = "simulator"

    def __init__(self, comparison: Comparison, lowered: Lowered) -> None:
        self._golden = GoldenModel(lowered, sequence=False)
        self._runners = [DelegateRunner(delegate.compilation.blob) for delegate in lowered.delegates]
        self._values = [delegate.compilation.values for delegate in lowered.delegates]
        self._boundary = lowered.boundary.input_quantisation
        self._counterparts = [result.counterpart for result in comparison.results]
        self._quantised = QuantisedStage(comparison.module)

    def results(self, sample: Sequence[Any]) -> Results:
        like = self._quantised.results(sample)
        found = {}
        for call in self._golden.calls(quantised_values(sample, self._boundary)):
            answers = [np.empty_like(output) for output in call.outputs]
            self._runners[call.delegate].run(call.inputs, answers)
            outputs = dict(zip(self._values[call.delegate].names, answers, strict=False))
            for counterpart in self._counterparts:
                if counterpart.delegate == call.delegate and counterpart.tensor.name in outputs:
                    stored = outputs[counterpart.tensor.name]
                    found[counterpart.quantiser.name] = _as_in_pytorch(stored, counterpart.quantiser, like)
        return found


def _as_in_pytorch(stored: NDArray[Any], quantiser: Any, like: Results) -> NDArray[np.float64]:
    """Return a result in real units and in PyTorch's order of elements."""
    step = float(quantiser.args[1])
    return nearest(real(stored, quantiser), like[quantiser.name], quantiser, step)


def real(integers: NDArray[Any], quantiser: Any) -> NDArray[np.float64]:
    """Return the real numbers that integers represent with a quantiser's scale and zero point."""
    _, scale, zero_point, *_ = quantiser.args
    values: NDArray[np.float64] = (integers.astype(np.float64) - zero_point) * scale
    return values


def _quantisers(module: Any) -> list[Any]:
    return [node for node in module.graph.nodes if node.op == "call_function" and node.target is QUANTISE]


def _run(module: Any, sample: Sequence[Any], names: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    class Watching(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            value = super().run_node(n)
            if n.name in names:
                seen[n.name] = value.detach().clone()
            return value

    initial = InitialState(module)
    with torch.no_grad():
        Watching(module).run(*(value.clone() for value in sample))
    initial.restore()
    return seen
