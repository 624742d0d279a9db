# SPDX-License-Identifier: Apache-2.0
"""Edits captured graphs: adds alternatives beside operators, computes both, removes one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from pilotlight.export.graph.state import InitialState
from pilotlight.export.graph.user_operators import number_of, set_number

_aten = torch.ops.aten

_CONSTANT = "pilotlight_constant_"
_KEPT = ("stack_trace", "nn_module_stack", "torch_fn", "from_node")

# These operators read only the shape of their input.
_FILLED = (_aten.zeros_like.default, _aten.ones_like.default, _aten.full_like.default)


class Branch:
    """Adds operators before the node `beside`, with its source line and number.

    result: the node that was added last.
    """

    def __init__(self, module: Any, beside: Any) -> None:
        self._module = module
        self._beside = beside
        self.result: Any = None

    def call(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Add a call and return its node, which later calls may use as an argument."""
        graph = self._module.graph
        with graph.inserting_before(self._beside):
            node = graph.call_function(target, args, kwargs)
        node.meta = {key: self._beside.meta[key] for key in _KEPT if key in self._beside.meta}
        number = number_of(self._beside)
        if number is not None:
            set_number(node, number)
        values, options = torch.fx.node.map_arg((args, kwargs), lambda arg: arg.meta["val"])
        node.meta["val"] = target(*values, **options)
        self.result = node
        return node

    def constant(self, value: Any) -> Any:
        """Add a buffer that holds `value`, and return the node that reads it."""
        names = set(dict(self._module.named_buffers()))
        name = next(name for name in (f"{_CONSTANT}{i}" for i in range(len(names) + 1)) if name not in names)
        self._module.register_buffer(name, value)
        graph = self._module.graph
        with graph.inserting_before(next(iter(graph.nodes))):
            node = graph.get_attr(name)
        like = next(other.meta["val"] for other in graph.nodes if other.op == "placeholder")
        node.meta["val"] = like.fake_mode.from_tensor(value, static_shapes=True)
        return node


def evaluate(graph: Any, samples: Iterable[tuple[Any, ...]]) -> Iterator[Mapping[Any, Any]]:
    """Compute each sample, starting from the initial state, and yield the values of all nodes."""
    initial = InitialState(graph)
    for sample in samples:
        interpreter = torch.fx.Interpreter(graph, garbage_collect_values=False)
        with torch.no_grad():
            # The samples are copied, because in-place operators must not change the caller's
            # samples.
            interpreter.run(*(value.clone() for value in sample))
        yield interpreter.env
        initial.restore()


def constant_nodes(graph: Any) -> set[Any]:
    """Return the nodes that depend on no input and on no buffer that the model writes."""
    fixed: set[Any] = set()
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            written = any(getattr(getattr(user.target, "_schema", None), "is_mutable", False) for user in node.users)
            if not written:
                fixed.add(node)
        elif node.op == "call_function" and (
            node.target in _FILLED or all(source in fixed for source in node.all_input_nodes)
        ):
            fixed.add(node)
    return fixed


def erase_unused(node: Any) -> None:
    """Remove `node` if nothing uses it, and then the nodes that only it used."""
    pending = [node]
    while pending:
        candidate = pending.pop()
        if candidate.op not in ("call_function", "get_attr") or candidate.users or candidate._erased:
            continue
        if candidate.op == "call_function" and not _is_private(candidate):
            continue
        sources = list(candidate.all_input_nodes)
        owner = candidate.graph.owning_module
        candidate.graph.erase_node(candidate)
        if candidate.op == "get_attr" and candidate.target.startswith(_CONSTANT):
            delattr(owner, candidate.target)
        pending += sources


def _is_private(node: Any) -> bool:
    """Whether `node` writes into nothing, or only into a tensor that was made for it alone."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return True
    written = [
        value
        for argument, value in zip(schema.arguments, node.args, strict=False)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    return all(
        value.op == "call_function"
        and list(value.users) == [node]
        and all(result.alias_info is None for result in value.target._schema.returns)
        for value in written
    )
