# SPDX-License-Identifier: Apache-2.0
"""Says some operators in other words, with which the NPU takes them, before anything is quantised.

Each rewriting gives the same bits in float32: it is tried on the calibration samples, operator by operator, and dropped
where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pilotlight.export.quantise import Captured
from pilotlight.export.state import InitialState
from pilotlight.export.user_operators import number_of, set_number

_aten = torch.ops.aten

# Of the operator's only tensor.
Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Rewriting:
    """Operators `targets` of one tensor. into: what to compute instead of a node, None where that does not apply.

    words, because: "rewrote <words>, because <because>".
    """

    targets: tuple[Any, ...]
    into: Callable[[Any], Function | None]
    words: str
    because: str


def rewrite(captured: Captured, samples: Sequence[tuple[Any, ...]]) -> list[str]:
    """Rewrite the graph in place and return what was done, a sentence each."""
    candidates = {
        node: (rewriting, function)
        for node in captured.graph.graph.nodes
        for rewriting in REWRITINGS
        if node.op == "call_function" and node.target in rewriting.targets and (function := rewriting.into(node))
    }
    if not candidates:
        return []
    different = _differing(captured.graph, {node: function for node, (_, function) in candidates.items()}, samples)
    done: dict[Rewriting, dict[str, None]] = {}
    for node, (rewriting, function) in candidates.items():
        if node not in different:
            number = number_of(node)
            where = captured.operators[number].place if number is not None else ""
            done.setdefault(rewriting, {})[where] = None
            _replace(node, function)
    captured.graph.recompile()
    return [
        f"rewrote {rewriting.words}, because {rewriting.because}: {', '.join(filter(None, lines)) or 'line unknown'}"
        for rewriting, lines in done.items()
    ]


def _differing(graph: Any, functions: dict[Any, Function], samples: Sequence[tuple[Any, ...]]) -> set[Any]:
    """Return the nodes of which a function gives other bits for any of the samples."""
    different: set[Any] = set()

    class Comparing(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            value = super().run_node(n)
            if n in functions and n not in different:
                (given,) = (self.env[source] for source in n.all_input_nodes)
                if not _same_bits(value, functions[n](given)):
                    different.add(n)
            return value

    initial = InitialState(graph)
    with torch.no_grad():
        for sample in samples:
            # In-place operators must not reach the caller's samples.
            Comparing(graph, garbage_collect_values=False).run(*(value.clone() for value in sample))
            initial.restore()
    return different


def _same_bits(a: Any, b: Any) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    flat = [value.contiguous().reshape(-1) for value in (a, b)]
    return bool(torch.equal(*(value.view(torch.uint8) for value in flat))) if flat[0].numel() else True


def _replace(node: Any, function: Function) -> None:
    """Put the operators of `function` in place of `node`, with its line and its number."""
    graph, number = node.graph, number_of(node)
    (source,) = node.all_input_nodes
    traced = torch.fx.symbolic_trace(function).graph
    copies: dict[Any, Any] = {}
    with graph.inserting_before(node):
        for inner in traced.nodes:
            if inner.op == "placeholder":
                copies[inner] = source
            elif inner.op == "output":
                node.replace_all_uses_with(copies[inner.args[0]])
            else:
                new = copies[inner] = graph.node_copy(inner, copies.__getitem__)
                kept = ("stack_trace", "nn_module_stack", "torch_fn", "from_node")
                new.meta = {key: node.meta[key] for key in kept if key in node.meta}
                args, kwargs = torch.fx.node.map_arg((new.args, new.kwargs), lambda arg: arg.meta["val"])
                new.meta["val"] = new.target(*args, **kwargs)
                if number is not None:
                    set_number(new, number)
    graph.erase_node(node)


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(node.args[0].meta["val"].shape)


def _argument(node: Any, position: int, default: Any) -> Any:
    return node.args[position] if len(node.args) > position else default


def _pair(value: Any) -> tuple[int, int]:
    both = tuple(value) if isinstance(value, list | tuple) else (value,)
    return (both[0], both[-1])


def _hardtanh(node: Any) -> Function | None:
    del node
    return lambda x: _aten.hardtanh.default(x, 0.0, 6.0)


def _smaller_strides(node: Any) -> Function | None:
    """A window that covers the plane has one place whatever its stride; windows side by side are adaptive."""
    kernel = _pair(node.args[1])
    stride = _pair(_argument(node, 2, None) or kernel)
    padding = _pair(_argument(node, 3, 0))
    whole = not _argument(node, 4, False) and _argument(node, 6, None) is None
    plane = _shape(node)[-2:]
    if max(stride) <= 3 or padding != (0, 0) or not whole:
        return None
    if plane == kernel:
        return lambda x: _aten.avg_pool2d.default(x, list(kernel), [1, 1])
    if stride == kernel and plane[0] % kernel[0] == plane[1] % kernel[1] == 0:
        places = [plane[0] // kernel[0], plane[1] // kernel[1]]
        return lambda x: _aten.adaptive_avg_pool2d.default(x, places)
    return None


def _two_dimensional(node: Any) -> Function | None:
    if len(_shape(node)) != 3:
        return None
    kernel, stride, padding, dilation, ceil_mode = (
        _argument(node, position, default) for position, default in ((1, 1), (2, None), (3, 0), (4, 1), (5, False))
    )

    def wide(value: Any, across: int) -> list[int]:
        return [across, _pair(value)[0]]

    options = [wide(kernel, 1), wide(stride or kernel, 1), wide(padding, 0), wide(dilation, 1), ceil_mode]
    return lambda x: _aten.squeeze.dim(_aten.max_pool2d.default(_aten.unsqueeze.default(x, -2), *options), -2)


def _shuffled(node: Any) -> Function | None:
    batch, channels, *plane = _shape(node)
    groups = node.args[1]

    def shuffle(x: Any) -> Any:
        split = _aten.view.default(x, [batch, groups, channels // groups, *plane])
        return _aten.reshape.default(_aten.transpose.int(split, 1, 2), [batch, channels, *plane])

    return shuffle


def _rolled(node: Any) -> Function | None:
    shifts, dimensions = (list(_argument(node, position, [])) for position in (1, 2))
    if not dimensions:
        return None
    shape = _shape(node)

    def roll(x: Any) -> Any:
        for shift, dimension in zip(shifts, dimensions, strict=True):
            size = shape[dimension]
            at = (size - shift) % size
            if at:
                ends = (_aten.slice.Tensor(x, dimension, at, size), _aten.slice.Tensor(x, dimension, 0, at))
                x = _aten.cat.default(list(ends), dimension)
        return x

    # Nothing to move would be nothing to compute.
    return roll if any(shift % shape[axis] for shift, axis in zip(shifts, dimensions, strict=True)) else None


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
        "roll as slices put together anew",
        "the NPU would need 64-bit indices for it",
    ),
)
