# SPDX-License-Identifier: Apache-2.0
"""Replaces log_softmax, and softmax of masked scores, by forms that keep their values in int8.

Upstream computes the logarithm of an int8 softmax, so all values below 1/256 become the logarithm
of zero. A mask value of -1e9 makes the int8 steps of the scores about 4 million wide.

These rewritings do not give the same bits in float32, so they have a rule of their own. A
replacement is added to the graph beside the original, and both are computed on all calibration
samples. The replacement is used only if no value differs by more than its `tolerance`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from pilotlight.export.graph.edit import Branch, erase_unused, evaluate
from pilotlight.export.graph.user_operators import number_of
from pilotlight.export.quantising.quantise import Captured
from pilotlight.export.rewritings.low_masks import Masked
from pilotlight.export.rewritings.masked_scores import masked_scores

_aten = torch.ops.aten

SOFTMAX = (_aten.softmax.int, _aten._softmax.default, _aten.special_softmax.default, _aten._safe_softmax.default)
LOG_SOFTMAX = (_aten.log_softmax.int, _aten._log_softmax.default, _aten.special_log_softmax.default)

# A sixteenth of an int8 step of a softmax, whose values range from 0 to 1.
_TOLERANCE_OF_SOFTMAX = 2.0**-12
# The permitted difference of sums in another order, relative to the value, or to 1 if the value is
# smaller.
_TOLERANCE_OF_LOGARITHM = 1e-4


@dataclass(frozen=True)
class _Replacement:
    """A possible replacement of `node`.

    branches: candidates; the first one within `tolerance` is used. said: the note if one is used.
    """

    node: Any
    branches: tuple[Branch, ...]
    tolerance: float
    said: str


def rewrite_softmax(captured: Captured, samples: Iterable[tuple[Any, ...]]) -> list[str]:
    """Rewrite the graph in place. Returns sentences on what was rewritten or could not be."""
    graph = captured.graph
    replacements = [*_logarithms(graph), *_masked(graph, samples)]
    if not replacements:
        return []
    graph.recompile()
    fitting = _fitting(graph, replacements, samples)
    done: dict[str, dict[str, None]] = {}
    for replacement in replacements:
        number = number_of(replacement.node)
        where = captured.operators[number].where if number is not None else "line unknown"
        taken = next((branch for branch in replacement.branches if branch in fitting), None)
        said = replacement.said if taken else _left(replacement)
        done.setdefault(said, {})[where or "line unknown"] = None
        if taken:
            replacement.node.replace_all_uses_with(taken.result)
            erase_unused(replacement.node)
        for branch in replacement.branches:
            if branch is not taken:
                erase_unused(branch.result)
    graph.recompile()
    return [f"{said}: {', '.join(lines)}" for said, lines in done.items()]


def _left(replacement: _Replacement) -> str:
    return (
        f"did not rewrite {replacement.node.target.__name__.partition('.')[0]}, though int8 does not keep its values: "
        f"no form of it is within {replacement.tolerance:.1g} on the calibration samples"
    )


def _fitting(graph: Any, replacements: list[_Replacement], samples: Iterable[tuple[Any, ...]]) -> set[Branch]:
    """Return the branches that are within their tolerance on all samples."""
    fitting = {branch for replacement in replacements for branch in replacement.branches}
    for values in evaluate(graph, samples):
        for replacement in replacements:
            want = values[replacement.node]
            for branch in replacement.branches:
                if not _close(want, values[branch.result], replacement.tolerance):
                    fitting.discard(branch)
    return fitting


def _close(want: Any, have: Any, tolerance: float) -> bool:
    """Compare two results.

    Values that are not finite in `want` do not count: the logarithm of zero, a row that is masked
    completely.
    """
    finite = torch.isfinite(want)
    if want.shape != have.shape or want.dtype != have.dtype or not bool(torch.isfinite(have[finite]).all()):
        return False
    return bool(((want - have).abs()[finite] <= tolerance * want.abs()[finite].clamp(min=1.0)).all())


def _logarithms(graph: Any) -> Iterator[_Replacement]:
    """Find log_softmax and log of softmax, and build x - max - log(sum(exp(x - max)))."""
    for node in list(graph.graph.nodes):
        source = node
        if node.op == "call_function" and node.target is _aten.log.default:
            source = node.args[0]
            if source.op != "call_function" or source.target not in SOFTMAX:
                continue
        elif node.op != "call_function" or node.target not in LOG_SOFTMAX:
            continue
        x, dim = source.args[:2]
        if x.meta["val"].dtype != node.meta["val"].dtype or not x.meta["val"].dim():
            continue
        branch = Branch(graph, node)
        below = branch.call(_aten.sub.Tensor, x, branch.call(_aten.amax.default, x, [dim], True))
        total = branch.call(_aten.sum.dim_IntList, branch.call(_aten.exp.default, below), [dim], True)
        branch.call(_aten.sub.Tensor, below, branch.call(_aten.log.default, total))
        yield _Replacement(
            node,
            (branch,),
            _TOLERANCE_OF_LOGARITHM,
            "rewrote log_softmax as x - max - log(sum(exp(x - max))), because the logarithm of an int8 softmax is that "
            "of nought below 1/256",
        )


def _masked(graph: Any, samples: Iterable[tuple[Any, ...]]) -> Iterator[_Replacement]:
    """Find softmax of scores whose mask is so low that few int8 steps are left for the scores."""
    for node, masked in masked_scores(graph, samples, SOFTMAX):
        branches = []
        for at_most in (True, False):
            branch = Branch(graph, node)
            x = masked.build(branch, at_most=at_most)
            branch.call(_aten.softmax.int, x, *node.args[1:2])
            branches.append(branch)
        yield _Replacement(
            node,
            tuple(branches),
            _TOLERANCE_OF_SOFTMAX,
            "rewrote the mask before a softmax to be as low as needed and no lower, because int8 has no steps for the "
            f"scores beside {_number(masked)}",
        )


def _number(masked: Masked) -> str:
    return "-inf" if math.isinf(masked.lowest) else f"{masked.lowest:.4g}"
