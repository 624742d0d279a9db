# SPDX-License-Identifier: Apache-2.0
"""Captures a model with `torch.export` and quantises it (PT2E) with its calibration samples."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from executorch.backends.arm.quantizer import EthosUQuantizer
from executorch.backends.cortex_m.quantizer.node_finders import NodeFinder
from torch.utils._pytree import tree_leaves
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from pilotlight.errors import ModelError
from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.graph.state import Sampling
from pilotlight.export.graph.user_operators import (
    UserOperators,
    number_of,
    number_operators,
    number_replacements,
    numbers_in,
)
from pilotlight.export.quantising.activations import separate_activations
from pilotlight.export.quantising.annotations import Choices, Chosen, configuration
from pilotlight.export.quantising.prequantised import is_quantised, with_kept_ranges
from pilotlight.export.quantising.runnable import demand_runnable
from pilotlight.export.upstream.speed import quick_upstream
from pilotlight.model_spec import ModelSpec
from pilotlight.recipe import Recipe, as_recipe

# Folding batch normalisation into a convolution rounds again. A difference of more than this share
# of an output's range is an error.
_TOLERANCE_OF_CAPTURE = 1e-3


@dataclass(frozen=True)
class Captured:
    """A captured model.

    graph: the model as ATen operators with numbers. operators: the operator of each number.
    quantised: whether the model came with its own ranges, which are kept.
    """

    graph: Any
    operators: UserOperators
    quantised: bool = False


@dataclass(frozen=True)
class Quantised:
    """module: quantised graph that runs in PyTorch. program: the same, exported for lowering."""

    module: Any
    program: Any


def capture(spec: ModelSpec) -> Captured:
    """Return the model as a graph of ATen operators. An exception here is from the model's code."""
    program = torch.export.export(spec.module, _example(spec))
    if any(_writes_aside(node) for node in program.graph.nodes):
        program = program.run_decompositions({})
    # Guards would add a call_module node, which the Arm quantiser's passes refuse.
    graph = program.module(check_guards=False)
    return Captured(graph, number_operators(graph), is_quantised(graph))


def quantise(captured: Captured, spec: ModelSpec, compile_spec: Any, in_float: Collection[int] = ()) -> Quantised:
    """Quantise with the Arm quantiser, as `spec.quantisation` says. Keep existing ranges.

    in_float: numbers of the user's operators that must not be quantised.

    Raises ModelError if the quantiser's graph does not compute the same as the model, ConfigError
    if the NPU cannot run the recipe.
    """
    if captured.quantised:
        kept = with_kept_ranges(captured.graph, in_float)
        separate_activations(kept)
        return Quantised(kept, torch.export.export(kept, _example(spec)))
    module = quantised_module(captured, spec, compile_spec, in_float)
    with torch.no_grad(), quick_upstream():
        return Quantised(module, torch.export.export(module, _example(spec)))


def quantised_module(captured: Captured, spec: ModelSpec, compile_spec: Any, in_float: Collection[int] = ()) -> Any:
    """Return the quantised graph that runs in PyTorch. Arguments and errors: `quantise`."""
    with torch.no_grad(), quick_upstream():
        converted = convert_pt2e(observed(captured, spec, compile_spec, in_float))
        separate_activations(converted)
        return converted


def observed(captured: Captured, spec: ModelSpec, compile_spec: Any, in_float: Collection[int] = ()) -> Any:
    """Return the float graph with observers that have seen the calibration samples.

    The operators of this graph have the same names as in the quantised module. Arguments and
    errors: `quantise`.
    """
    recipe = as_recipe(spec.quantisation)
    quantiser = _Quantiser(compile_spec, recipe, captured.operators)
    choices = Choices(recipe, captured.graph, captured.operators)
    quantiser.set_global(configuration(choices.default, recipe))
    for choice in choices.exceptions:
        quantiser.set_node_finder(configuration(choice, recipe), Chosen(choices, choice))
    quantiser.set_node_finder(None, _Numbered(in_float))
    with torch.no_grad():
        # The graph is copied, because the quantiser works in place.
        prepared = prepare_pt2e(copy.deepcopy(captured.graph), quantiser)
        # The state is reset between samples. The observers' buffers are not.
        buffers = {name for name, _ in captured.graph.named_buffers()}
        model = Sampling(spec.module, sequence=spec.sequence)
        sampled = Sampling(prepared, sequence=spec.sequence, only=buffers)
        for sample in spec.calibration:
            _demand_same(model(*sample), sampled(*sample))
        model.rewind()
        sampled.rewind()
        return prepared


class _Quantiser(EthosUQuantizer):  # type: ignore[misc]
    """Upstream's quantiser. This subclass keeps the user's operator numbers in upstream's
    rewritings.

    This also folds the operators on constants that the rewritings add, and refuses a recipe that
    the NPU cannot run.
    """

    def __init__(self, compile_spec: Any, recipe: Recipe, operators: UserOperators) -> None:
        super().__init__(compile_spec)
        self._npu, self._recipe, self._operators = str(compile_spec.target), recipe, operators

    def annotate(self, model: Any) -> Any:
        annotated = super().annotate(model)
        demand_runnable(annotated, self._npu, self._recipe, self._operators)
        return annotated

    def transform_for_annotation(self, model: Any) -> Any:
        before = numbers_in(model)
        transformed = super().transform_for_annotation(model)
        # Numbering comes before folding, because nothing replaces a folded operator.
        number_replacements(transformed, before)
        # Upstream computes attention masks from constants.
        fold_constants(transformed)
        return transformed


class _Numbered(NodeFinder):  # type: ignore[misc]
    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = frozenset(numbers)

    def find_nodes(self, model: Any) -> Iterator[Any]:
        return (node for node in model.graph.nodes if number_of(node) in self._numbers)


def _writes_aside(node: Any) -> bool:
    """Whether `node` changes a tensor that other nodes read directly, as `y[:, 0] = 0` does.

    Upstream's passes drop such a node, because no node uses its result.
    """
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None or not schema.is_mutable:
        return False
    for argument, value in zip(schema.arguments, node.args, strict=False):
        if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, torch.fx.Node):
            others = [user for user in value.users if user is not node]
            is_view = value.op == "call_function" and any(
                result.alias_info is not None for result in value.target._schema.returns
            )
            if not node.users or others or is_view:
                return True
    return False


def _demand_same(expected: Any, got: Any) -> None:
    for index, (want, have) in enumerate(zip(tree_leaves(expected), tree_leaves(got), strict=True)):
        if not want.is_floating_point():
            continue
        finite = torch.isfinite(want)
        span = float(want[finite].abs().max()) if finite.any() else 0.0
        error = float((want[finite] - have[finite]).abs().max()) if finite.any() else 0.0
        if error > _TOLERANCE_OF_CAPTURE * max(span, 1.0):
            raise ModelError(
                f"the graph that upstream's quantiser makes of the model computes something else: output {index} is "
                f"off by {error:.3g} before anything is rounded",
                hint="forward may change a tensor in place or use random numbers; write that part another way",
            )


def _example(spec: ModelSpec) -> tuple[Any, ...]:
    """Return the example inputs as dense tensors. Channels last stays channels last."""
    return tuple(_dense(value) for value in spec.example_inputs)


def _dense(value: Any) -> Any:
    for layout, dimensions in ((torch.channels_last, 4), (torch.channels_last_3d, 5)):
        # A tensor of one channel or one pixel has both layouts and counts as contiguous.
        if value.dim() == dimensions and value.is_contiguous(memory_format=layout) and not value.is_contiguous():
            return value
    return value.clone(memory_format=torch.contiguous_format)
