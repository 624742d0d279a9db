# SPDX-License-Identifier: Apache-2.0
"""Stores float tables as the integers that the NPU gets from them.

An embedding runs on the CPU. The embedding reads rows of a float32 table, and the rows are then
quantised for the NPU. This module quantises the table instead. The integers are the same, the table
has a quarter of the size, and the CPU quantises nothing. Operators that only move values may be in
between.
"""

from __future__ import annotations

from typing import Any

import torch
from executorch.backends.transforms.utils import (
    create_constant_placeholder,
    delete_constant_placeholder,
    get_param_tensor,
    is_param_node,
)
from torch.export.graph_signature import InputKind

from pilotlight.export.lowering.bounds import only_moves
from pilotlight.export.lowering.tensor_io import QUANTIZE, target_name

# Operators that read parts of their first tensor, at indices in the others.
_PICKING = ("aten.embedding.default", "aten.index_select.default", "aten.index.Tensor")
# Metadata of an integer table: the name of the float table, and its quantisation.
_FIELD = "pilotlight_table"


def quantise_tables(program: Any) -> None:
    """Quantise the tables of an edge program in place. Tables that the CPU computes with stay."""
    changed = set(program.graph_signature.buffers_to_mutate.values())
    user_inputs = set(program.graph_signature.user_inputs)
    first_input = next((node for node in program.graph.nodes if node.name in user_inputs), None)
    for node in list(program.graph.nodes):
        way = _quantised_as(node)
        if way is None or first_input is None:
            continue
        table = node.args[0]
        constant = table.op == "placeholder" and is_param_node(program, table)
        if not constant or program.graph_signature.inputs_to_buffers.get(table.name) in changed:
            continue
        node.args = (_quantised_table(program, table, way, first_input), *node.args[1:])
        moved, quantisers = _way_to_quantisers(node)
        for carrier in (node, *moved):
            carrier.meta["val"] = carrier.meta["val"].to(quantisers[0].meta["val"].dtype)
        for quantiser in quantisers:
            quantiser.replace_all_uses_with(quantiser.args[0])
            program.graph.erase_node(quantiser)
        if not table.users:
            delete_constant_placeholder(program, table)
    program.graph_module.recompile()


def _quantised_as(node: Any) -> tuple[Any, ...] | None:
    """Return scale, zero point, range and dtype if all users quantise alike, else None."""
    if target_name(node) not in _PICKING:
        return None
    ways = {tuple(end.args[1:6]) if target_name(end) == QUANTIZE else None for end in _way_to_quantisers(node)[1]}
    return ways.pop() if len(ways) == 1 else None


def _way_to_quantisers(node: Any) -> tuple[list[Any], list[Any]]:
    """Return the operators that only move the result of `node`, and the users after them."""
    moved, ends, pending = [], [], list(node.users)
    while pending:
        user = pending.pop(0)
        if user.op == "call_function" and len(user.all_input_nodes) == 1 and only_moves([user]):
            moved.append(user)
            pending += user.users
        elif user not in ends:
            ends.append(user)
    return moved, ends


def _quantised_table(program: Any, table: Any, way: tuple[Any, ...], first_input: Any) -> Any:
    """Return the constant that holds `table` in integers. It is made once."""
    values = get_param_tensor(program, table)
    with torch.no_grad():
        integers = torch.ops.quantized_decomposed.quantize_per_tensor.default(values, *way)
    for other in program.graph.nodes:
        if other.meta.get(_FIELD) == (table.name, way):
            return other
    with program.graph.inserting_before(first_input):
        name = f"{table.name}_in_integers_{len(program.graph_signature.input_specs)}"
        node = create_constant_placeholder(program, program.graph, name, InputKind.CONSTANT_TENSOR, integers)
    node.meta[_FIELD] = (table.name, way)
    return node
