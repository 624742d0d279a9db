# SPDX-License-Identifier: Apache-2.0
"""Finds masked scores before a softmax. low_masks.py builds them with a mask that int8 can hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from pilotlight.export.graph.edit import constant_nodes, evaluate
from pilotlight.export.rewritings.attention_parts import spell_out_added_products, spell_out_attention
from pilotlight.export.rewritings.low_masks import Masked, Step

_aten = torch.ops.aten

# These return the values of their first tensor, unchanged or moved.
_MOVES = (
    _aten.view.default,
    _aten.reshape.default,
    _aten.expand.default,
    _aten.unsqueeze.default,
    _aten.squeeze.dim,
    _aten.transpose.int,
    _aten.permute.default,
    _aten.flatten.using_ints,
    _aten.unflatten.int,
    _aten.slice.Tensor,
    _aten.contiguous.default,
    _aten.clone.default,
    _aten.alias.default,
    _aten.dropout.default,
    _aten.to.dtype,
    _aten.type_as.default,
)
_FILLS = (_aten.masked_fill.Scalar, _aten.masked_fill_.Scalar, _aten.masked_fill.Tensor, _aten.masked_fill_.Tensor)
_CHOICES = (_aten.where.self, _aten.where.ScalarOther, _aten.where.ScalarSelf, _aten.where.Scalar)
_MAXIMA = (_aten.maximum.default, _aten.max.other)
_PRODUCTS = (
    _aten.matmul.default,
    _aten.bmm.default,
    _aten.mm.default,
    _aten.baddbmm.default,
    _aten.linear.default,
    _aten.einsum.default,
    _aten.conv1d.default,
    _aten.conv2d.default,
)
# All masked entries of a row together get less than this share of the softmax, so that the error
# stays small over many layers.
_SHARE_OF_MASKED = 2.0**-12


@dataclass(frozen=True)
class _Range:
    lowest: float
    highest: float


def masked_scores(
    graph: Any, samples: Iterable[tuple[Any, ...]], softmax: Collection[Any]
) -> Iterator[tuple[Any, Masked]]:
    """Yield each softmax of masked scores in the graph, with its scores and masks.

    Attention and baddbmm before a softmax are first split into products, sums and softmax.
    """
    spell_out_attention(graph)
    spell_out_added_products(graph, softmax)
    nodes = [node for node in graph.graph.nodes if node.op == "call_function" and node.target in softmax]
    if not nodes:
        return
    ranges, constants = _observe(graph, samples)
    found = {}
    for node in nodes:
        finder = _Finder(ranges, constants)
        finder.follow(node.args[0])
        if finder.is_masked:
            found[node] = finder
    if not found:
        return
    peaks = _lowest_peaks(graph, samples, found)
    for node, finder in found.items():
        if math.isfinite(peaks[node]):
            yield node, finder.masked(peaks[node], node)


class _Finder:
    """Follows the graph from the input of a softmax back to the scores."""

    def __init__(self, ranges: dict[Any, _Range], constants: dict[Any, Any]) -> None:
        self._ranges = ranges
        self._constants = constants
        self._steps: list[Step] = []
        self._scores: Any = None

    def follow(self, node: Any) -> None:
        while True:
            self._scores = node
            found = self._step(node) if node.op == "call_function" else None
            if found is None:
                break
            step, node = found
            self._steps.insert(0, step)

    def _step(self, node: Any) -> tuple[Step, Any] | None:
        """Return the step for `node` and the argument with the scores; None if it is no step."""
        target, args = node.target, node.args
        if target in _MOVES and self._is_float(args[0]):
            return Step(node), args[0]
        if target in _FILLS and self._lowest(args[2]) < 0:
            return Step(node, chosen=args[1]), args[0]
        if target in _CHOICES:
            low = [self._lowest(side) for side in args[1:]]
            when = low[0] < low[1]
            scores = args[2] if when else args[1]
            # The replacement for scores must be one value.
            other = args[1] if when else args[2]
            is_one_value = not isinstance(other, torch.fx.Node) or other in self._constants
            return (Step(node, chosen=args[0], when=when), scores) if is_one_value and _is_node(scores) else None
        if target in (_aten.add.Tensor, _aten.add_.Tensor) and not node.kwargs and all(map(_is_node, args)):
            scores, mask = sorted(args, key=self._likely_scores, reverse=True)
            return Step(node, masks=((mask, 1),)), scores
        if target in (_aten.sub.Tensor, _aten.sub_.Tensor) and not node.kwargs and all(map(_is_node, args)):
            return Step(node, masks=((args[1], -1),)), args[0]
        if target in (_aten.mul.Tensor, _aten.div.Tensor) and isinstance(args[1], int | float) and args[1] > 0:
            factor = float(args[1])
            return Step(node, factor=factor if target is _aten.mul.Tensor else 1 / factor), args[0]
        if target in _MAXIMA and args[1] in self._constants and self._highest(args[1]) < -1e3:
            return Step(node, drop=True), args[0]
        if target is _aten.clamp.default and args[2:] in ((), (None,)) and (args[1] or 0.0) < -1e3:
            return Step(node, drop=True), args[0]
        return None

    def _is_float(self, node: Any) -> bool:
        return bool(node.meta["val"].is_floating_point())

    def _likely_scores(self, node: Any) -> tuple[bool, bool, float]:
        return _has_product(node), node not in self._constants, self._lowest(node)

    def _lowest(self, value: Any) -> float:
        if isinstance(value, torch.fx.Node):
            return self._ranges[value].lowest if value in self._ranges else 0.0
        return float(value)

    def _highest(self, value: Any) -> float:
        return self._ranges[value].highest if value in self._ranges else 0.0

    def _within(self, node: Any, sign: int) -> _Range:
        """Return the range of the value that is added."""
        found = self._ranges.get(node, _Range(0.0, 0.0))
        return found if sign > 0 else _Range(-found.highest, -found.lowest)

    @property
    def _own(self) -> _Range:
        """The range of the scores, in units of the softmax's input."""
        factor = math.prod(step.factor for step in self._steps)
        found = self._ranges[self._scores]
        return _Range(found.lowest * factor, found.highest * factor)

    def _span(self) -> float:
        return self._own.highest - self._own.lowest

    def _needed(self, row: int) -> float:
        return math.log(row / _SHARE_OF_MASKED)

    @property
    def is_masked(self) -> bool:
        """Whether a value that is added or chosen is so low that it masks any of the scores."""
        return math.isfinite(self._span()) and self.lowest <= -self._span() - self._needed(1)

    @property
    def lowest(self) -> float:
        """The lowest value that a mask adds or chooses."""
        found = [0.0]
        factor = math.prod(step.factor for step in self._steps)
        for step in self._steps:
            factor /= step.factor
            found += [self._within(mask, sign).lowest * factor for mask, sign in step.masks]
            if step.chosen is not None:
                sides = step.node.args[2:] if step.node.target in _FILLS else step.node.args[1:]
                found.append(min(self._lowest(side) for side in sides) * factor)
        return min(found)

    @property
    def unmasked_above(self) -> float:
        """Entries above this value are not masked."""
        return self._own.lowest - self._needed(1)

    def masked(self, peak: float, softmax: Any) -> Masked:
        """Return the result. peak: the lowest of all rows' highest unmasked entries."""
        row = softmax.meta["val"].shape[softmax.args[1]]
        floor = peak - self._needed(row)
        highest: dict[Any, float] = {step.node: self._highest(step.node) for step in self._steps}
        for step in self._steps:
            for mask, sign in step.masks:
                highest[(mask, sign)] = self._within(mask, sign).lowest
        return Masked(
            scores=self._scores,
            steps=tuple(self._steps),
            floor=floor,
            lowest=self.lowest,
            reach=self._own.highest - floor,
            threshold=-self._span() - self._needed(1),
            highest=highest,
            constants=self._constants,
        )


def _is_node(value: Any) -> bool:
    return isinstance(value, torch.fx.Node)


def _has_product(node: Any) -> bool:
    """Whether a matrix product leads to `node`. Then it is scores and not a mask."""
    seen, pending = set(), [node]
    while pending:
        candidate = pending.pop()
        if candidate.target in _PRODUCTS:
            return True
        if candidate not in seen:
            seen.add(candidate)
            pending += candidate.all_input_nodes
    return False


def _observe(graph: Any, samples: Iterable[tuple[Any, ...]]) -> tuple[dict[Any, _Range], dict[Any, Any]]:
    """Return the range of each float value over all samples, and the values that never change."""
    ranges: dict[Any, _Range] = {}
    constants: dict[Any, Any] = {}
    fixed = constant_nodes(graph)
    for values in evaluate(graph, samples):
        for node, value in values.items():
            if not isinstance(value, torch.Tensor) or not value.numel():
                continue
            if node in fixed and node not in constants:
                # A computed value may be overwritten later, so it is copied.
                constants[node] = value.detach() if node.op == "get_attr" else _unexpanded(value)
            if value.is_floating_point():
                here = _Range(float(value.detach().min()), float(value.detach().max()))
                before = ranges.get(node, here)
                ranges[node] = _Range(min(before.lowest, here.lowest), max(before.highest, here.highest))
    return ranges, constants


def _unexpanded(value: Any) -> Any:
    """Return a copy without the repetitions of `expand`."""
    for axis, stride in enumerate(value.stride()):
        if stride == 0 and value.shape[axis] > 1:
            value = value.narrow(axis, 0, 1)
    return value.detach().clone(memory_format=torch.contiguous_format)


def _lowest_peaks(graph: Any, samples: Iterable[tuple[Any, ...]], found: dict[Any, _Finder]) -> dict[Any, float]:
    """Return, for each softmax, the lowest of all rows' highest entries.

    Rows without an unmasked entry do not count.
    """
    peaks = dict.fromkeys(found, math.inf)
    for values in evaluate(graph, samples):
        for node, finder in found.items():
            peak = values[node.args[0]].amax(node.args[1])
            unmasked = peak[peak > finder.unmasked_above]
            if unmasked.numel():
                peaks[node] = min(peaks[node], float(unmasked.min()))
    return peaks
