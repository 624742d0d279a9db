# SPDX-License-Identifier: Apache-2.0
"""Replaces some operators by others that the NPU can run, before the model is quantised.

Each rewriting gives the same bits in float32, or differs only by rounding if it says so. Each place
is tried on the calibration samples, and a rewriting that gives something else is dropped there.
rewriting.py defines a rewriting; rewritings/ has the others, by subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from pilotlight.export.graph.constants import attribute, drop_unused, is_constant, new_constant
from pilotlight.export.graph.state import InitialState
from pilotlight.export.graph.user_operators import number_of, set_number
from pilotlight.export.quantising.quantise import Captured
from pilotlight.export.rewritings import attention, flattening, normalisation, picking, pooling, products, resampling
from pilotlight.export.rewritings.rewriting import Function, Rewriting, argument, pair, shape_of

_aten = torch.ops.aten

# Permitted difference of a rewriting that rounds differently, as a share of the largest value.
_ROUNDING = 1e-5


def rewrite(captured: Captured, samples: Iterable[tuple[Any, ...]]) -> list[str]:
    """Rewrite the graph in place. Returns one sentence for each kind of rewriting that was done."""
    candidates = {
        node: (rewriting, function)
        for node in captured.graph.graph.nodes
        for rewriting in REWRITINGS
        if node.op == "call_function" and node.target in rewriting.targets and (function := rewriting.into(node))
    }
    if not candidates:
        return []
    different = _differing(captured.graph, candidates, samples)
    done: dict[Rewriting, dict[str, None]] = {}
    for node, (rewriting, function) in candidates.items():
        if node not in different:
            number = number_of(node)
            where = captured.operators[number].place if number is not None else ""
            done.setdefault(rewriting, {})[where] = None
            _replace(captured.graph, node, rewriting.sources(node), function)
    captured.graph.graph.eliminate_dead_code()
    drop_unused(captured.graph)
    captured.graph.recompile()
    return [
        f"rewrote {rewriting.words}, because {rewriting.because}: {', '.join(filter(None, lines)) or 'line unknown'}"
        for rewriting, lines in done.items()
    ]


def _differing(
    graph: Any, candidates: dict[Any, tuple[Rewriting, Function]], samples: Iterable[tuple[Any, ...]]
) -> set[Any]:
    """Return the nodes for which a rewriting gives another result on any sample."""
    different: set[Any] = set()

    class Comparing(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            value = super().run_node(n)
            if n in candidates and n not in different:
                rewriting, function = candidates[n]
                got = function(*(self.env[source] for source in rewriting.sources(n)))
                if not (_same_bits(value, got) or (rewriting.rounds and _same_but_for_rounding(value, got))):
                    different.add(n)
            return value

    initial = InitialState(graph)
    with torch.no_grad():
        for sample in samples:
            # The samples are copied, because in-place operators must not change the caller's
            # samples.
            Comparing(graph, garbage_collect_values=False).run(*(value.clone() for value in sample))
            initial.restore()
    return different


def _same_bits(a: Any, b: Any) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    flat = [value.contiguous().reshape(-1) for value in (a, b)]
    return bool(torch.equal(*(value.view(torch.uint8) for value in flat))) if flat[0].numel() else True


def _same_but_for_rounding(a: Any, b: Any) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape or not a.isfinite().all():
        return False
    return bool((a - b).abs().max() <= _ROUNDING * a.abs().max()) if a.numel() else True


def _replace(graph_module: Any, node: Any, sources: Sequence[Any], function: Function) -> None:
    """Replace `node` by the operators of `function`, with its source line and number.

    Operators that depend only on constants become constants of the model.
    """
    graph, number = node.graph, number_of(node)
    traced = torch.fx.Graph()
    tracer = _HoldingTensors(traced)
    takes = [traced.placeholder(f"x{index}") for index in range(len(sources))]
    traced.output(function(*(torch.fx.Proxy(placeholder, tracer) for placeholder in takes)).node)
    copies: dict[Any, Any] = dict(zip(takes, sources, strict=True))
    with graph.inserting_before(node):
        for inner in traced.nodes:
            if inner.op == "placeholder":
                continue
            if inner.op == "output":
                node.replace_all_uses_with(copies[inner.args[0]])
            elif all(is_constant(copies[source]) for source in inner.all_input_nodes):
                args, kwargs = torch.fx.node.map_arg(
                    (inner.args, inner.kwargs), lambda arg: attribute(graph_module, copies[arg].target)
                )
                with torch.no_grad():
                    copies[inner] = new_constant(graph_module, inner.target(*args, **kwargs), node)
            else:
                new = copies[inner] = graph.node_copy(inner, copies.__getitem__)
                kept = ("stack_trace", "nn_module_stack", "torch_fn", "from_node")
                new.meta = {key: node.meta[key] for key in kept if key in node.meta}
                args, kwargs = torch.fx.node.map_arg((new.args, new.kwargs), lambda arg: arg.meta["val"])
                new.meta["val"] = new.target(*args, **kwargs)
                if number is not None:
                    set_number(new, number)
    graph.erase_node(node)


class _HoldingTensors(torch.fx.proxy.GraphAppendingTracer):  # type: ignore[misc]
    """Traces tensors that a function holds, such as fixed weights, as nodes without inputs."""

    def create_arg(self, a: Any) -> Any:
        return self.graph.call_function(lambda: a) if isinstance(a, torch.Tensor) else super().create_arg(a)


def _hardtanh(node: Any) -> Function | None:
    del node
    return lambda x: _aten.hardtanh.default(x, 0.0, 6.0)


def _smaller_strides(node: Any) -> Function | None:
    """Return a form of an average pool with strides up to 3, or None.

    A window that covers the plane has only one position, so its stride does not matter. Windows
    that lie side by side form an adaptive pool.
    """
    kernel = pair(node.args[1])
    stride = pair(argument(node, 2, None) or kernel)
    padding = pair(argument(node, 3, 0))
    whole = not argument(node, 4, False) and argument(node, 6, None) is None
    plane = shape_of(node)[-2:]
    if max(stride) <= 3 or padding != (0, 0) or not whole:
        return None
    if plane == kernel:
        return lambda x: _aten.avg_pool2d.default(x, list(kernel), [1, 1])
    if stride == kernel and plane[0] % kernel[0] == plane[1] % kernel[1] == 0:
        places = [plane[0] // kernel[0], plane[1] // kernel[1]]
        return lambda x: _aten.adaptive_avg_pool2d.default(x, places)
    return None


def _two_dimensional(node: Any) -> Function | None:
    if len(shape_of(node)) != 3:
        return None
    kernel, stride, padding, dilation, ceil_mode = (
        argument(node, position, default) for position, default in ((1, 1), (2, None), (3, 0), (4, 1), (5, False))
    )

    def wide(value: Any, across: int) -> list[int]:
        return [across, pair(value)[0]]

    options = [wide(kernel, 1), wide(stride or kernel, 1), wide(padding, 0), wide(dilation, 1), ceil_mode]
    return lambda x: _aten.squeeze.dim(_aten.max_pool2d.default(_aten.unsqueeze.default(x, -2), *options), -2)


def _shuffled(node: Any) -> Function | None:
    batch, channels, *plane = shape_of(node)
    groups = node.args[1]

    def shuffle(x: Any) -> Any:
        split = _aten.view.default(x, [batch, groups, channels // groups, *plane])
        return _aten.reshape.default(_aten.transpose.int(split, 1, 2), [batch, channels, *plane])

    return shuffle


def _rolled(node: Any) -> Function | None:
    shifts, dimensions = (list(argument(node, position, [])) for position in (1, 2))
    if not dimensions:
        return None
    shape = shape_of(node)

    def roll(x: Any) -> Any:
        for shift, dimension in zip(shifts, dimensions, strict=True):
            size = shape[dimension]
            at = (size - shift) % size
            if at:
                ends = (_aten.slice.Tensor(x, dimension, at, size), _aten.slice.Tensor(x, dimension, 0, at))
                x = _aten.cat.default(list(ends), dimension)
        return x

    # If no element moves, there would be no operator to replace the roll with.
    return roll if any(shift % shape[axis] for shift, axis in zip(shifts, dimensions, strict=True)) else None


def _product(node: Any) -> Function | None:
    if not node.meta["val"].is_floating_point():
        return None
    return lambda x: _aten.mul.Tensor(x, -1.0)


REWRITINGS = (
    Rewriting(
        (_aten.relu6.default, _aten.relu6_.default),
        _hardtanh,
        "relu6 as hardtanh between 0 and 6",
        "the quantiser knows only that",
    ),
    Rewriting(
        (_aten.avg_pool2d.default,),
        _smaller_strides,
        "avg_pool2d over the whole plane or side by side, with stride 1 or as adaptive_avg_pool2d",
        "the NPU averages with strides of at most 3",
    ),
    Rewriting(
        (_aten.max_pool1d.default,),
        _two_dimensional,
        "max_pool1d as max_pool2d over one row",
        "the quantiser knows only that",
    ),
    Rewriting(
        (_aten.channel_shuffle.default,),
        _shuffled,
        "channel_shuffle as view and transpose",
        "the quantiser knows only those",
    ),
    Rewriting(
        (_aten.roll.default,),
        _rolled,
        "roll as a concatenation of slices",
        "the NPU would need 64-bit indices for it",
    ),
    Rewriting(
        (_aten.neg.default,),
        _product,
        "a negation as a product with -1",
        "the NPU's negation keeps the scale, and the quantiser may give the result another",
    ),
    *products.REWRITINGS,
    *attention.REWRITINGS,
    *flattening.REWRITINGS,
    *normalisation.REWRITINGS,
    *picking.REWRITINGS,
    *pooling.REWRITINGS,
    *resampling.REWRITINGS,
)
