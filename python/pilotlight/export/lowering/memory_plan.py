# SPDX-License-Identifier: Apache-2.0
"""Memory plan of a program.

If the program is one delegate call, its inputs and outputs are planned where the NPU reads and
writes them. The delegate then copies nothing. The planned buffer and the NPU's scratch area can be
the same memory, because equal offsets mean equal places (python/pilotlight/codegen/arenas.py,
firmware/ethos_u/backend.cpp).

State, the buffers that the model changes, has a planned buffer of its own. State must survive an
inference, so it cannot be in memory that is poisoned, shared or reused. The initial values of the
state must be in the .pte. Upstream writes initial values only for nodes that are marked.
"""

from __future__ import annotations

from typing import Any

from executorch.exir.delegate import executorch_call_delegate
from executorch.exir.passes import MemoryPlanningPass

from pilotlight.pte.ethos_u import BACKEND, SCRATCH_REGION, parse_blob

# Planned buffer 0 holds constants.
_BUFFER = 1
_STATE_BUFFER = 2


class InPlaceMemoryPlanning(MemoryPlanningPass):  # type: ignore[misc]
    """Upstream's plan, with in-place tensors for a program that is one delegate call."""

    def run(self, graph_module: Any, graph_signature: Any = None) -> Any:
        _place_state(graph_module, graph_signature)
        result = super().run(graph_module, graph_signature)
        call = _only_call(graph_module)
        if call is not None:
            _plan_as_compiled(graph_module, call)
        return result


def _place_state(graph_module: Any, graph_signature: Any) -> None:
    changed = set() if graph_signature is None else set(graph_signature.buffers_to_mutate.values())
    for node in graph_module.graph.nodes:
        if changed and node.op == "placeholder" and graph_signature.inputs_to_buffers.get(node.target) in changed:
            node.meta["spec"].mem_id = _STATE_BUFFER
            node.meta["et_init_buffer"] = True


def _only_call(graph_module: Any) -> Any:
    """Return the Ethos-U delegate call that is the graph's only operation, or None.

    The result is also None unless each input is exactly one argument and each result exactly one
    output. A tensor that is used twice has only one place in memory, but the delegate has two.
    """
    nodes = graph_module.graph.nodes
    calls = [node for node in nodes if node.op == "call_function" and not _picks_result(node)]
    inputs = [node for node in nodes if node.op == "placeholder"]
    if len(calls) != 1 or calls[0].target is not executorch_call_delegate:
        return None
    (call,) = calls
    module = getattr(graph_module, call.args[0].target)
    results = list(graph_module.graph.output_node().args[0])
    used_once = sorted(call.args[1:], key=str) == sorted(inputs, key=str)
    returned_once = len(set(results)) == len(results) and all(map(_picks_result, results))
    if module.backend_id != BACKEND or not used_once or not returned_once or len(results) != len(call.meta["spec"]):
        return None
    return call


def _picks_result(node: Any) -> bool:
    return node.op == "call_function" and getattr(node.target, "__name__", "") == "getitem"


def _plan_as_compiled(graph_module: Any, call: Any) -> None:
    blob = parse_blob(getattr(graph_module, call.args[0].target).processed_bytes)
    specs = [*(node.meta["spec"] for node in call.args[1:]), *call.meta["spec"]]
    places = (*blob.inputs, *blob.outputs)
    if len(specs) != len(places):
        return
    for spec, place in zip(specs, places, strict=True):
        if spec.const or spec.nbytes() != place.size_bytes or place.region != SCRATCH_REGION:
            return
    for spec, place in zip(specs, places, strict=True):
        spec.mem_id, spec.mem_offset = _BUFFER, place.offset
    graph_module.meta["non_const_buffer_sizes"] = [0, blob.scratch_size_bytes]
