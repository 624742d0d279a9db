# SPDX-License-Identifier: Apache-2.0
"""Memory plan of a program.

If the program is one delegate call, its inputs and outputs are planned where the NPU reads and
writes them. The delegate then copies nothing. The planned buffer and the NPU's scratch area can be
the same memory, because equal offsets mean equal places (python/pilotlight/codegen/arenas.py,
firmware/ethos_u/backend.cpp).

A tied input (`ModelSpec.tied`) is an exception: the next inference takes it again, so the scratch
of this one must not lie over it. Tied inputs have a planned buffer of their own, and the delegate
copies them into its scratch area.

State, the buffers that the model changes, has a planned buffer of its own. State must survive an
inference, so it cannot be in memory that is poisoned, shared or reused. The initial values of the
state must be in the .pte. Upstream writes initial values only for nodes that are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from executorch.exir.delegate import executorch_call_delegate
from executorch.exir.passes import MemoryPlanningPass

from pilotlight.pte.ethos_u import BACKEND, SCRATCH_REGION, parse_blob

# Planned buffer 0 holds constants.
_BUFFER = 1
_STATE_BUFFER = 2


class InPlaceMemoryPlanning(MemoryPlanningPass):  # type: ignore[misc]
    """Upstream's plan, with in-place tensors for a program that is one delegate call.

    tied: indices of the inputs that must survive an inference.
    """

    def __init__(self, tied: Sequence[int] = ()) -> None:
        super().__init__()
        self._tied = tied

    def run(self, graph_module: Any, graph_signature: Any = None) -> Any:
        first_free = _place_state(graph_module, graph_signature)
        if self._tied:
            _place_tied(graph_module, graph_signature.user_inputs, self._tied, first_free)
        result = super().run(graph_module, graph_signature)
        call = _only_call(graph_module)
        if call is not None:
            _plan_as_compiled(graph_module, call)
        return result


def _place_state(graph_module: Any, graph_signature: Any) -> int:
    """Give state its own planned buffer. Return the number of the next free buffer."""
    changed = set() if graph_signature is None else set(graph_signature.buffers_to_mutate.values())
    for node in graph_module.graph.nodes:
        if changed and node.op == "placeholder" and graph_signature.inputs_to_buffers.get(node.target) in changed:
            node.meta["spec"].mem_id = _STATE_BUFFER
            node.meta["et_init_buffer"] = True
    return _STATE_BUFFER + bool(changed)


def _place_tied(graph_module: Any, inputs: Sequence[str], tied: Sequence[int], buffer: int) -> None:
    names = {inputs[index] for index in tied}
    for node in graph_module.graph.nodes:
        if node.op == "placeholder" and node.target in names:
            node.meta["spec"].mem_id = buffer


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
    placed = [(spec, place) for spec, place in zip(specs, places, strict=True) if spec.mem_id == _BUFFER]
    for spec, place in placed:
        if spec.const or spec.nbytes() != place.size_bytes or place.region != SCRATCH_REGION:
            return
    for spec, place in placed:
        spec.mem_offset = place.offset
    apart = graph_module.meta["non_const_buffer_sizes"][_BUFFER + 1 :]
    graph_module.meta["non_const_buffer_sizes"] = [0, blob.scratch_size_bytes, *apart]
