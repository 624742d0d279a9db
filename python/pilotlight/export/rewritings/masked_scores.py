# SPDX-License-Identifier: Apache-2.0
"""Finds masked scores before a softmax, and builds them with a mask that int8 can hold.

A mask of large negative values makes the int8 steps of the scores too wide. A masked entry only has
to be so low that its softmax is zero. `floor` is such a value. Two forms of the masked scores are
built:

    minimum(scores, cap)     cap is `floor` at masked entries, and the highest score elsewhere
    scores + mask            mask moves the highest score down to `floor`

The first form keeps the range of the scores. The second is for rows that are masked completely: the
softmax of such a row depends on the scores.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pilotlight.export.graph.edit import Branch, constant_nodes, evaluate

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
class _Step:
    """One operator between scores and softmax.

    masks: each mask's node and its sign, 1 (added) or -1 (subtracted).
    chosen: Boolean node that is true where the scores are replaced (`when` is True) or kept.
    factor: the positive factor that it multiplies by.
    drop: whether the operator is left out (a lower bound).
    """

    node: Any
    masks: tuple[tuple[Any, int], ...] = ()
    chosen: Any = None
    when: bool = True
    factor: float = 1.0
    drop: bool = False


@dataclass(frozen=True)
class _Range:
    lowest: float
    highest: float


@dataclass(frozen=True)
class Masked:
    """Scores and the operators between them and the softmax, in order.

    All values are in units of the softmax's input.
    floor: the new value of a masked entry. lowest: the lowest value that a mask adds or chooses.
    reach: by how much a mask must lower the highest score.
    threshold: an added value at or below it is a mask.
    highest: for each operator, its highest value; for each (node, sign), the lowest value added, in
        the units of the operator.
    constants: values of the nodes that are always the same.
    """

    scores: Any
    steps: tuple[_Step, ...]
    floor: float
    lowest: float
    reach: float
    threshold: float
    highest: dict[Any, float]
    constants: dict[Any, Any]

    def build(self, branch: Branch, *, at_most: bool) -> Any:
        """Add operators that compute the softmax's input, and return the last one.

        at_most: build `minimum(scores, cap)`, else `scores + mask`.
        """
        x = self.scores
        factor = math.prod(step.factor for step in self.steps)
        for step in self.steps:
            factor /= step.factor
            if step.drop:
                continue
            if step.chosen is not None:
                x = self._chosen(branch, step, x, factor, at_most=at_most)
            elif step.masks:
                for mask, sign in step.masks:
                    x = self._added(branch, step, x, (mask, sign), factor, at_most=at_most)
            else:
                x = branch.call(step.node.target, x, *step.node.args[1:], **step.node.kwargs)
        return x

    def _chosen(self, branch: Branch, step: _Step, x: Any, factor: float, *, at_most: bool) -> Any:
        if step.chosen in self.constants:
            masked = self.constants[step.chosen]
            return self._constant(branch, step, x, (masked if step.when else ~masked, None), factor, at_most=at_most)
        floor = self.floor / factor
        if step.when:
            return branch.call(_aten.where.ScalarSelf, step.chosen, floor, x)
        return branch.call(_aten.where.ScalarOther, step.chosen, x, floor)

    def _added(
        self, branch: Branch, step: _Step, x: Any, mask: tuple[Any, int], factor: float, *, at_most: bool
    ) -> Any:
        node, sign = mask
        if node in self.constants:
            values = self.constants[node] * sign
            masked = values * factor <= self.threshold
            if not masked.any():
                return branch.call(_aten.add.Tensor if sign > 0 else _aten.sub.Tensor, x, node)
            rest = torch.where(masked, torch.zeros_like(values), values)
            return self._constant(branch, step, x, (masked, rest if rest.any() else None), factor, at_most=at_most)
        if not self._is_low(node, sign, factor):
            return branch.call(_aten.add.Tensor if sign > 0 else _aten.sub.Tensor, x, node)
        # -1 at masked entries and 0 elsewhere, for a mask of any size. int8 holds both exactly.
        where = branch.call(_aten.tanh.default, node)
        if at_most:
            highest = self.highest[step.node]
            down = branch.call(_aten.mul.Tensor, where, sign * (highest - self.floor / factor))
            return branch.call(_aten.minimum.default, x, branch.call(_aten.add.Tensor, down, highest))
        return branch.call(_aten.add.Tensor, x, branch.call(_aten.mul.Tensor, where, sign * self.reach / factor))

    def _is_low(self, node: Any, sign: int, factor: float) -> bool:
        return self.highest[(node, sign)] * factor <= self.threshold

    def _constant(
        self, branch: Branch, step: _Step, x: Any, mask: tuple[Any, Any], factor: float, *, at_most: bool
    ) -> Any:
        """Mask `x` where mask[0] is true. mask[1], if not None, is added elsewhere."""
        masked, rest = mask
        dtype = x.meta["val"].dtype
        zero = torch.zeros(masked.shape, dtype=dtype)
        if not at_most:
            low = torch.where(masked, torch.full_like(zero, -self.reach / factor), zero if rest is None else rest)
            return branch.call(_aten.add.Tensor, x, branch.constant(low))
        if rest is not None:
            x = branch.call(_aten.add.Tensor, x, branch.constant(rest))
        cap = torch.where(masked, zero + self.floor / factor, zero + self.highest[step.node])
        return branch.call(_aten.minimum.default, x, branch.constant(cap))


def masked_scores(
    graph: Any, samples: Sequence[tuple[Any, ...]], softmax: Collection[Any]
) -> Iterator[tuple[Any, Masked]]:
    """Yield each softmax of masked scores in the graph, with its scores and masks.

    Attention and baddbmm before a softmax are first split into products, sums and softmax.
    """
    _spell_out_attention(graph)
    _spell_out_added_products(graph, softmax)
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
        self._steps: list[_Step] = []
        self._scores: Any = None

    def follow(self, node: Any) -> None:
        while True:
            self._scores = node
            found = self._step(node) if node.op == "call_function" else None
            if found is None:
                break
            step, node = found
            self._steps.insert(0, step)

    def _step(self, node: Any) -> tuple[_Step, Any] | None:
        """Return the step for `node` and the argument with the scores; None if it is no step."""
        target, args = node.target, node.args
        if target in _MOVES and self._is_float(args[0]):
            return _Step(node), args[0]
        if target in _FILLS and self._lowest(args[2]) < 0:
            return _Step(node, chosen=args[1]), args[0]
        if target in _CHOICES:
            low = [self._lowest(side) for side in args[1:]]
            when = low[0] < low[1]
            scores = args[2] if when else args[1]
            # The replacement for scores must be one value.
            other = args[1] if when else args[2]
            is_one_value = not isinstance(other, torch.fx.Node) or other in self._constants
            return (_Step(node, chosen=args[0], when=when), scores) if is_one_value and _is_node(scores) else None
        if target in (_aten.add.Tensor, _aten.add_.Tensor) and not node.kwargs and all(map(_is_node, args)):
            scores, mask = sorted(args, key=self._likely_scores, reverse=True)
            return _Step(node, masks=((mask, 1),)), scores
        if target in (_aten.sub.Tensor, _aten.sub_.Tensor) and not node.kwargs and all(map(_is_node, args)):
            return _Step(node, masks=((args[1], -1),)), args[0]
        if target in (_aten.mul.Tensor, _aten.div.Tensor) and isinstance(args[1], int | float) and args[1] > 0:
            factor = float(args[1])
            return _Step(node, factor=factor if target is _aten.mul.Tensor else 1 / factor), args[0]
        if target in _MAXIMA and args[1] in self._constants and self._highest(args[1]) < -1e3:
            return _Step(node, drop=True), args[0]
        if target is _aten.clamp.default and args[2:] in ((), (None,)) and (args[1] or 0.0) < -1e3:
            return _Step(node, drop=True), args[0]
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


def _observe(graph: Any, samples: Sequence[tuple[Any, ...]]) -> tuple[dict[Any, _Range], dict[Any, Any]]:
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


def _lowest_peaks(graph: Any, samples: Sequence[tuple[Any, ...]], found: dict[Any, _Finder]) -> dict[Any, float]:
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


def _spell_out_added_products(graph: Any, softmax: Collection[Any]) -> None:
    """Replace baddbmm before a softmax by product and sum.

    nn.MultiheadAttention adds its mask with baddbmm.
    """
    for node in list(graph.graph.nodes):
        before_softmax = any(user.target in softmax for user in node.users)
        if node.target is _aten.baddbmm.default and before_softmax and not node.kwargs:
            added, *factors = node.args
            branch = Branch(graph, node)
            node.replace_all_uses_with(branch.call(_aten.add.Tensor, branch.call(_aten.bmm.default, *factors), added))
            graph.graph.erase_node(node)


def _spell_out_attention(graph: Any) -> None:
    """Replace masked scaled_dot_product_attention by products, mask and softmax.

    Upstream would do the same later.
    """
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or node.target is not _aten.scaled_dot_product_attention.default:
            continue
        query, key, value = node.args[:3]
        mask: Any = node.args[3] if len(node.args) > 3 else None
        dropout = node.args[4] if len(node.args) > 4 else 0.0
        causal = node.args[5] if len(node.args) > 5 else False
        if (mask is None and not causal) or dropout or node.kwargs.get("enable_gqa"):
            continue
        scale = node.kwargs.get("scale") or query.meta["val"].shape[-1] ** -0.5
        branch = Branch(graph, node)
        turned = branch.call(_aten.transpose.int, key, -2, -1)
        scores = branch.call(_aten.matmul.default, branch.call(_aten.mul.Tensor, query, scale), turned)
        if causal:
            shape = scores.meta["val"].shape[-2:]
            mask = branch.constant(torch.ones(shape, dtype=torch.bool).tril())
        if mask.meta["val"].dtype == torch.bool:
            masked = branch.call(_aten.where.ScalarOther, mask, scores, -math.inf)
        else:
            masked = branch.call(_aten.add.Tensor, scores, mask)
        softmax = branch.call(_aten._safe_softmax.default, masked, -1)
        node.replace_all_uses_with(branch.call(_aten.matmul.default, softmax, value))
        graph.graph.erase_node(node)
    graph.recompile()
