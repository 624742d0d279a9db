# SPDX-License-Identifier: Apache-2.0
"""Builds masked scores before a softmax with a mask that int8 can hold.

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
from dataclasses import dataclass
from typing import Any

import torch

from pilotlight.export.graph.edit import Branch

_aten = torch.ops.aten


@dataclass(frozen=True)
class Step:
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
    steps: tuple[Step, ...]
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

    def _chosen(self, branch: Branch, step: Step, x: Any, factor: float, *, at_most: bool) -> Any:
        if step.chosen in self.constants:
            masked = self.constants[step.chosen]
            return self._constant(branch, step, x, (masked if step.when else ~masked, None), factor, at_most=at_most)
        floor = self.floor / factor
        if step.when:
            return branch.call(_aten.where.ScalarSelf, step.chosen, floor, x)
        return branch.call(_aten.where.ScalarOther, step.chosen, x, floor)

    def _added(self, branch: Branch, step: Step, x: Any, mask: tuple[Any, int], factor: float, *, at_most: bool) -> Any:
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
        self, branch: Branch, step: Step, x: Any, mask: tuple[Any, Any], factor: float, *, at_most: bool
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
