# SPDX-License-Identifier: Apache-2.0
"""Keeps a model's state in the integers that its operators read and write.

The lowered program holds each buffer in float32. Before the NPU reads the buffer, the CPU quantises
it; after the NPU has written it, the CPU dequantises it. If both use the same scale and zero point,
these conversions change nothing. This module removes them. The buffer then has a quarter of the
size, and its initial value is quantised at export.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.export.graph_signature import OutputKind

from pilotlight.export.lowering.tensor_io import DEQUANTIZE, QUANTIZE, Quantisation, target_name


def keep_state_in_integers(program: Any) -> dict[str, Quantisation]:
    """Change the state of an edge program to integers, in place, where that changes no value.

    Returns the buffers that were changed, by name, with the quantisation of each. A buffer that a
    CPU operator reads or writes in float stays as it is.
    """
    places = {spec.target: position for position, spec in _mutations(program)}
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    changed = {}
    for name, buffer in program.graph_signature.inputs_to_buffers.items():
        if buffer not in places:
            continue
        way = _way(placeholders[name], _results(program)[places[buffer]])
        if way is not None:
            _make_integer(program, placeholders[name], places[buffer], buffer, way)
            changed[buffer] = way
    if changed:
        program.graph.eliminate_dead_code()
        program.graph_module.recompile()
    return changed


def _mutations(program: Any) -> list[tuple[int, Any]]:
    specs = enumerate(program.graph_signature.output_specs)
    return [(position, spec) for position, spec in specs if spec.kind == OutputKind.BUFFER_MUTATION]


def _results(program: Any) -> list[Any]:
    return list(program.graph.output_node().args[0])


def _way(read: Any, written: Any) -> Quantisation | None:
    """Return the quantisation in which a buffer is read and written; None if there is not one."""
    if target_name(written) != DEQUANTIZE:
        return None
    ways = {tuple(user.args[1:6]) if target_name(user) == QUANTIZE else None for user in read.users}
    way = tuple(written.args[1:6])
    return way if ways <= {way} else None


def _make_integer(program: Any, read: Any, position: int, buffer: str, way: Quantisation) -> None:
    held = program.state_dict if buffer in program.state_dict else program.constants
    with torch.no_grad():
        held[buffer] = torch.ops.quantized_decomposed.quantize_per_tensor.default(held[buffer].contiguous(), *way)
    results = _results(program)
    written = results[position] = results[position].args[0]
    program.graph.output_node().args = (tuple(results),)
    program.graph_signature.output_specs[position].arg.name = written.name
    read.meta["val"] = written.meta["val"]
    for user in list(read.users):
        user.replace_all_uses_with(read)
