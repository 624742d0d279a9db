# SPDX-License-Identifier: Apache-2.0
"""Compares each operator of the delegates with quantised PyTorch, for the same input integers.

The quantised module runs node by node. At each quantiser whose value a TOSA graph also computes,
both values are compared, and PyTorch continues with TOSA's value. So each operator is judged on the
inputs that it really got, and the first operator that computes something else is found. SPEC.md
states the bounds and explains them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._pytree import tree_leaves

from pilotlight.errors import ModelError
from pilotlight.export.golden.golden import DelegateCall
from pilotlight.export.golden.layouts import layouts
from pilotlight.export.golden.wide_steps import Allowed, allowed_steps
from pilotlight.export.graph.state import InitialState
from pilotlight.export.graph.user_operators import UserOperators, number_of
from pilotlight.export.lowering.bounds import bound_of, only_moves
from pilotlight.export.lowering.lower import Lowered
from pilotlight.export.quantising.activations import QUANTISE
from pilotlight.export.report.report import OperatorAgreement
from pilotlight.export.upstream.tosa_values import TosaTensor, TosaValues

_LARGEST_RANK = 6
_TOSA_MOVING = frozenset(("CONCAT", "GATHER", "IDENTITY", "RESHAPE", "REVERSE", "SLICE", "TILE", "TRANSPOSE"))


@dataclass(frozen=True)
class Counterpart:
    """A quantiser of the quantised module, and the tensor of a TOSA graph that has the same value.

    island: the operators that compute in float between earlier quantisers and this one, in order.
    delegate: the index of the delegate.
    """

    quantiser: Any
    island: tuple[Any, ...]
    delegate: int
    tensor: TosaTensor


@dataclass
class Compared:
    """The differences between TOSA and PyTorch at one quantiser, over all samples, in steps of its
    scale.

    bound: the permitted difference. For 16 bits it depends on the element, and this is the largest.
    values, differing, beyond: how many values were compared, differ, and exceed the bound.
    furthest: the largest difference. worst: PyTorch's value and TOSA's there, and its index; at the
        value furthest beyond its bound, if one is.
    """

    counterpart: Counterpart
    bound: int
    values: int = 0
    differing: int = 0
    beyond: int = 0
    furthest: int = 0
    worst: tuple[int, int, tuple[int, ...]] = (0, 0, ())
    _excess: int = -(2**31)

    def add(self, expected: NDArray[Any], got: NDArray[Any], allowed: Allowed | None = None) -> None:
        """Compare one sample. allowed: the permitted difference of each element; None: `bound`."""
        distance = np.abs(expected.astype(np.int64) - got.astype(np.int64))
        excess = distance - (self.bound if allowed is None else allowed)
        if allowed is not None and allowed.size:
            self.bound = max(self.bound, int(allowed.max()))
        self.values += distance.size
        self.differing += int(np.count_nonzero(distance))
        self.beyond += int(np.count_nonzero(excess > 0))
        if distance.size:
            self.furthest = max(self.furthest, int(distance.max()))
        if distance.size and excess.max() > self._excess:
            self._excess = int(excess.max())
            at = np.unravel_index(int(excess.argmax()), distance.shape)
            self.worst = (int(expected[at]), int(got[at]), tuple(map(int, at)))

    @property
    def within_bound(self) -> bool:
        return self.beyond == 0


class Deviates(ModelError):
    """An operator of a delegate does not compute the same as quantised PyTorch.

    number: the user's operator, None if unknown. finding: the difference, in words.
    """

    def __init__(self, result: Compared, operators: UserOperators) -> None:
        self.number = number_of(result.counterpart.quantiser.args[0])
        expected, got, at = result.worst
        what = operators.get(self.number) if self.number is not None else None
        steps = f"{result.bound} step" + "s" * (result.bound != 1)
        self.finding = (
            f"{result.beyond:,} of {result.values:,} values are more than {steps} from quantised PyTorch; "
            f"at {list(at)} the NPU would give {got}, PyTorch {expected}"
        )
        super().__init__(
            f"{what or result.counterpart.quantiser.args[0]}: the NPU would compute something else: {self.finding}",
            hint="write the operator another way, or keep it on the CPU",
        )


class Comparison:
    """Compares sample by sample.

    module: the quantised module.
    results: one entry for each quantiser with a counterpart, in order of computation.
    quantisers: the number of quantisers, including those without a counterpart. Quantisers after
        operators that only move values do not count, because upstream joins such operators and
        mixes their provenance. The values of these quantisers are compared where the next operator
        uses them.
    """

    def __init__(self, module: Any, lowered: Lowered) -> None:
        self.module = module
        self._values = [delegate.compilation.values for delegate in lowered.delegates]
        self.quantisers, found = 0, []
        counterparts = _Counterparts(module.graph, self._values)
        for node in module.graph.nodes:
            if node.op == "call_function" and node.target is QUANTISE:
                island = _island(node)
                if only_moves(island):
                    continue
                self.quantisers += 1
                counterpart = counterparts.find(node, island)
                if counterpart is not None:
                    found.append(counterpart)
        self.results = [Compared(counterpart, bound_of(counterpart.island)) for counterpart in found]

    def add(self, sample: Sequence[Any], calls: Sequence[DelegateCall]) -> tuple[list[Any], dict[str, Any]]:
        """Compare for one sample. calls: the delegates' inputs for this sample.

        Returns the module's outputs and the values of its buffers.
        """
        tensors = {call.delegate: self._values[call.delegate].run(call.inputs) for call in calls}
        interpreter = _Forced(self.module, self.results, tensors)
        initial = InitialState(self.module)
        with torch.no_grad():
            outputs = interpreter.run(*(value.clone() for value in sample))
        buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        initial.restore()
        return list(tree_leaves(outputs)), buffers

    def agreement(self) -> OperatorAgreement:
        return OperatorAgreement(
            results=self.quantisers,
            compared=len(self.results),
            equal=sum(result.differing == 0 for result in self.results),
            furthest=max((result.furthest for result in self.results), default=0),
        )

    def first_beyond(self) -> Compared | None:
        """Return the first result that exceeds its bound, None if there is none."""
        return next((result for result in self.results if not result.within_bound), None)


class _Forced(torch.fx.Interpreter):  # type: ignore[misc]
    """Runs the quantised module, and replaces its integers by TOSA's."""

    def __init__(self, module: Any, results: Sequence[Compared], tensors: dict[int, dict[str, NDArray[Any]]]) -> None:
        # A 16-bit result's bound is computed from the values before it.
        keeps = any(_is_wide(result.counterpart.quantiser) for result in results)
        super().__init__(module, garbage_collect_values=not keeps)
        self._results = {result.counterpart.quantiser: result for result in results}
        self._tensors = tensors

    def run_node(self, n: Any) -> Any:
        value = super().run_node(n)
        result = self._results.get(n)
        if result is None or result.counterpart.delegate not in self._tensors:
            return value
        expected = value.numpy()
        stored = self._tensors[result.counterpart.delegate][result.counterpart.tensor.name]
        allowed = self._allowed(result, value) if _is_wide(n) else None
        got = nearest(stored, expected, n, result.bound if allowed is None else float(allowed.max(initial=0)))
        result.add(expected, got, allowed)
        return torch.from_numpy(np.ascontiguousarray(got.astype(expected.dtype)))

    def _allowed(self, result: Compared, value: Any) -> Allowed | None:
        """Return the permitted difference of each element, None if it is the same for all."""
        if result.bound == 0:
            return None
        counterpart = result.counterpart
        return allowed_steps(
            counterpart.quantiser,
            counterpart.island,
            {**self.env, counterpart.quantiser: value},
            counterpart.tensor.origin.operator == "TABLE",
            self._computed,
        )

    def _computed(self, node: Any, value_of: Callable[[Any], Any]) -> Any:
        """Return the value of `node`, for other values of its inputs than those in this run."""
        arguments = torch.fx.node.map_arg((node.args, node.kwargs), value_of)
        return getattr(self, node.op)(node.target, *arguments)


def nearest(stored: NDArray[Any], expected: NDArray[Any], quantiser: Any, within: float) -> NDArray[Any]:
    """Return `stored` in the shape of `expected`, in the order of elements nearest to `expected`.

    Orders that other operators' moves produce are tried only if a value differs by more than
    `within`.
    """
    best, off = _nearest(stored, expected)
    for order in layouts(quantiser):
        if np.abs(best.astype(np.float64) - expected).max(initial=0) <= within:
            break
        found, found_off = _nearest(stored, expected.reshape(-1)[order])
        if found_off < off:
            best, off = np.empty(expected.shape, found.dtype), found_off
            best.reshape(-1)[order.reshape(-1)] = found.reshape(-1)
    return best


def _nearest(stored: NDArray[Any], expected: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Return the nearest arrangement and the sum of its differences."""

    def distance(array: NDArray[Any]) -> float:
        return float(np.abs(array.astype(np.float64) - expected).sum())

    best = min(arrangements(stored, expected.shape), key=distance)
    return best, distance(best)


def arrangements(stored: NDArray[Any], shape: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Yield `stored` with `shape`, in each order of dimensions that upstream may have used.

    >>> [a.tolist() for a in arrangements(np.arange(4).reshape(1, 2, 2), (2, 2))]
    [[[0, 1], [2, 3]], [[0, 2], [1, 3]]]
    """
    if stored.size == 0:
        yield stored.reshape(shape)
        return
    narrow = stored.squeeze()
    wanted = tuple(size for size in shape if size != 1)
    if sorted(narrow.shape) == sorted(wanted) and len(wanted) <= _LARGEST_RANK:
        seen = set()
        for order in itertools.permutations(range(narrow.ndim)):
            if tuple(narrow.shape[axis] for axis in order) == wanted and order not in seen:
                seen.add(order)
                yield narrow.transpose(order).reshape(shape)
        return
    # Dimensions were joined or split. The elements keep their order in memory, except that channels
    # may have moved.
    yield stored.reshape(shape)
    for order in itertools.permutations(range(narrow.ndim)) if narrow.ndim <= _LARGEST_RANK else ():
        yield narrow.transpose(order).reshape(shape)
    for order in itertools.permutations(range(len(wanted))) if len(wanted) <= _LARGEST_RANK else ():
        moved = narrow.reshape([wanted[axis] for axis in order])
        yield moved.transpose(sorted(range(len(order)), key=order.__getitem__)).reshape(shape)


def _is_wide(quantiser: Any) -> bool:
    return bool(quantiser.args[5] == torch.int16)


def _island(quantiser: Any) -> tuple[Any, ...]:
    """Return the operators that compute `quantiser`'s input from integers, in graph order."""
    found, pending = set(), [quantiser.args[0]]
    while pending:
        node = pending.pop()
        if node.op == "call_function" and "quantize_per" not in str(node.target) and node not in found:
            found.add(node)
            pending += node.all_input_nodes
    return tuple(node for node in quantiser.graph.nodes if node in found)


class _Counterparts:
    """Finds the tensors of the TOSA graphs that have the values of a module's quantisers."""

    def __init__(self, graph: Any, delegates: Sequence[TosaValues]) -> None:
        self._graph_id = id(graph)
        self._tensors = [(index, tensor) for index, values in enumerate(delegates) for tensor in values.tensors]
        self._found: dict[Any, tuple[int, TosaTensor]] = {}

    def find(self, quantiser: Any, island: tuple[Any, ...]) -> Counterpart | None:
        """Return the last tensor that was made from the island's operators, the last one first.

        The caller must ask for quantisers in the order of computation.
        """
        source = quantiser.args[0]
        like = source.meta.get("val")
        dtype = str(quantiser.args[5]).removeprefix("torch.")
        fitting = [
            (index, tensor)
            for index, tensor in self._tensors
            if tensor.dtype == dtype and (like is None or tensor.elements == like.numel())
        ]
        for made_by in reversed(island):
            made = [place for place in fitting if self._is_made_by(place[1], made_by)]
            # Upstream moves the permutations that it adds around an operator across others.
            found = [place for place in made if place[1].origin.operator not in _TOSA_MOVING] or made
            if not found and made_by is source:
                found = self._tables(quantiser, island, fitting)
            if found:
                self._found[quantiser] = found[-1]
                return Counterpart(quantiser, island, *found[-1])
        return None

    def _is_made_by(self, tensor: TosaTensor, node: Any) -> bool:
        return (self._graph_id, node.name) in tensor.origin.nodes

    def _tables(
        self, quantiser: Any, island: tuple[Any, ...], fitting: Sequence[tuple[int, TosaTensor]]
    ) -> list[tuple[int, TosaTensor]]:
        """Return tables with the quantiser's scale and zero point that read the island's inputs.

        If no table reads these inputs and only one table has the same scale and zero point, return
        that one. Upstream keeps no provenance for tables.
        """
        grid = (float(quantiser.args[1]), int(quantiser.args[2]))
        tables = [
            (index, tensor)
            for index, tensor in fitting
            if tensor.origin.grid == grid and all(graph != self._graph_id for graph, _ in tensor.origin.nodes)
        ]
        before = {
            source.args[0]
            for node in island
            for source in node.all_input_nodes
            if source not in island and source.op == "call_function" and source.args[0].op == "call_function"
        }
        names = {self._found[other][1].name for other in before if other in self._found}
        names |= {
            tensor.name for _, tensor in self._tensors for other in before if self._is_made_by(tensor, other.args[0])
        }
        linked = [(index, tensor) for index, tensor in tables if names & set(tensor.origin.inputs)]
        return linked or (tables if len(tables) == 1 else [])
