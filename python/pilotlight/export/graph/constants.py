# SPDX-License-Identifier: Apache-2.0
"""Computes the constant parts of a captured graph during the export.

A delegate of constants alone would have an output that no command writes, and Vela refuses it.
"""

from __future__ import annotations

import operator
from typing import Any

import torch

# Some operators make a large tensor from a small one: zeros, expand. A result up to this size is
# stored.
_SMALL_BYTES = 65536
_PREFIX = "pilotlight_folded_"


def fold_constants(graph_module: Any) -> None:
    """Replace operators that depend on no input, no state and no random number by constants."""
    graph = graph_module.graph
    values: dict[Any, Any] = {}
    with torch.no_grad():
        for node in list(graph.nodes):
            if is_constant(node):
                values[node] = attribute(graph_module, node.target)
            elif _is_foldable(node) and all(source in values for source in node.all_input_nodes):
                args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
                value = node.target(*args, **kwargs)
                if not isinstance(value, torch.Tensor):
                    # The operator has several results. A separate node selects each of them.
                    values[node] = value
                elif _is_small(value, [values[source] for source in node.all_input_nodes]):
                    values[node] = value
                    _fold(graph_module, node, value, values)
    graph.eliminate_dead_code()
    drop_unused(graph_module)
    graph_module.recompile()


def is_constant(node: Any) -> bool:
    """Whether `node` reads a tensor of the model that no operator changes."""
    return node.op == "get_attr" and not any(_is_mutable(user) for user in node.users)


def attribute(graph_module: Any, path: str) -> Any:
    """Return the attribute at a dotted path, such as "features.0.weight"."""
    return operator.attrgetter(path)(graph_module)


def new_constant(graph_module: Any, value: Any, like: Any) -> Any:
    """Add a constant to the module, and a node that reads it at the graph's insertion point.

    like: any node of this graph with tensor metadata.
    """
    numbers = iter(range(len(list(graph_module.graph.nodes)) + 1))
    name = next(name for name in (f"{_PREFIX}{number}" for number in numbers) if not hasattr(graph_module, name))
    held = value.detach().clone(memory_format=torch.contiguous_format)
    if held.is_floating_point():
        graph_module.register_parameter(name, torch.nn.Parameter(held, requires_grad=False))
    else:
        graph_module.register_buffer(name, held)
    node = graph_module.graph.get_attr(name)
    node.meta["val"] = like.meta["val"].fake_mode.from_tensor(held, static_shapes=True)
    return node


def drop_unused(graph_module: Any) -> None:
    """Remove constants that `new_constant` added and that no node reads any more."""
    read = {node.target for node in graph_module.graph.nodes if node.op == "get_attr"}
    held = [*dict(graph_module.named_parameters(recurse=False)), *dict(graph_module.named_buffers(recurse=False))]
    for name in held:
        if name.startswith(_PREFIX) and name not in read:
            delattr(graph_module, name)


def _fold(graph_module: Any, node: Any, value: Any, values: dict[Any, Any]) -> None:
    if all(_is_foldable(user) and set(user.all_input_nodes) <= values.keys() for user in node.users):
        # All users will be folded too, so no constant is needed for this node.
        return
    with graph_module.graph.inserting_before(node):
        constant = new_constant(graph_module, value, node)
    values[constant] = value
    node.replace_all_uses_with(constant)


def _is_mutable(node: Any) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and bool(schema.is_mutable)


def _is_foldable(node: Any) -> bool:
    if node.op != "call_function":
        return False
    if node.target is operator.getitem:
        return True
    tags = getattr(node.target, "tags", None)
    chance = tags is None or torch.Tag.nondeterministic_seeded in tags
    return not chance and not _is_mutable(node) and not any(_is_mutable(user) for user in node.users)


def _is_small(value: Any, made_of: list[Any]) -> bool:
    given = sum(tensor.nbytes for tensor in made_of if isinstance(tensor, torch.Tensor))
    return bool(value.nbytes <= max(_SMALL_BYTES, given))
