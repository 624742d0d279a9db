# SPDX-License-Identifier: Apache-2.0
"""The speedups of upstream's lowering change nothing in its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from executorch.exir.pass_base import ExportPass
from torch import nn
from torch.fx.graph_module import GraphModule
from torch.fx.traceback import NodeSource
from torch.utils import _pytree as pytree

from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.graph.user_operators import number_of
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.emit import emit
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.quantising.quantise import Captured, Quantised, capture, quantise
from pilotlight.export.upstream.speed import quick_upstream
from pilotlight.export.upstream.speed.replay import remembered_values
from pilotlight.model_spec import ModelSpec

KEPT = "the test keeps it"


class Attention(nn.Module):
    """Layer norm, attention, and a chunk, which is an operator with several results."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.body = nn.LayerNorm(16), nn.Linear(16, 32)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        left, right = self.body(x + self.attention(y, y, y, need_weights=False)[0]).chunk(2, -1)
        return left * torch.tanh(right)


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.first(x)))
        return self.last(nn.functional.avg_pool2d(y + torch.sigmoid(y), 8).flatten(1))


class Memory(nn.Module):
    """Keeps state in a buffer."""

    state: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros(1, 8))
        self.body = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(self.body(x) + self.state)
        self.state.copy_(y)
        return y


class Choice(nn.Module):
    """torch.cond has graph modules of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return torch.cond(y.sum() > 0, lambda v: v + 1.0, lambda v: v - 1.0, (y,))


NETWORKS = {
    "attention": (Attention, (1, 4, 16)),
    "convolutions": (Convolutions, (1, 3, 8, 8)),
    "state": (Memory, (1, 8)),
}


def quantised(network: type[nn.Module], shape: tuple[int, ...]) -> tuple[Captured, Quantised, Any]:
    torch.manual_seed(0)
    x = torch.randn(shape)
    spec = ModelSpec("m", network().eval(), (x,), [(x,)])
    captured = capture(spec)
    fold_constants(captured.graph)
    compile_spec = lower.compile_spec_for(resolve("ethos-u55-128", None, None))
    return captured, quantise(captured, spec, compile_spec, set()), compile_spec


def program(made: tuple[Captured, Quantised, Any], work: Path, kept: dict[int, str]) -> Any:
    captured, result, compile_spec = made
    return lower.lower(result.program, compile_spec, captured.operators, kept, float_io=False, work=work)


@pytest.mark.parametrize("partly", [False, True], ids=["all on the NPU", "one operator on the CPU"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_program_has_the_bytes_of_upstream_alone(
    name: str, partly: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = quantised(*NETWORKS[name])
    kept = {next(iter(made[0].operators)): KEPT} if partly else {}
    quick = emit(program(made, tmp_path / "quick", kept))
    with monkeypatch.context() as patched:
        patched.setattr(lower, "quick_upstream", nullcontext)
        alone = emit(program(made, tmp_path / "alone", kept))
    assert quick == alone


@pytest.mark.parametrize("name", NETWORKS)
def test_nodes_have_the_metadata_of_upstream_alone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = quantised(*NETWORKS[name])
    kept = {number: KEPT for number in made[0].operators}  # The whole graph then stays readable.
    quick = program(made, tmp_path / "quick", kept).program
    with monkeypatch.context() as patched:
        patched.setattr(lower, "quick_upstream", nullcontext)
        alone = program(made, tmp_path / "alone", kept).program
    for one, other in zip(quick.graph.nodes, alone.graph.nodes, strict=True):
        assert told(one) == told(other)


def told(node: Any) -> tuple[Any, ...]:
    values = pytree.tree_leaves(node.meta.get("val"))
    shapes = [(v.shape, v.dtype, v.stride()) if isinstance(v, torch.Tensor) else v for v in values]
    kept = {key: node.meta.get(key) for key in ("stack_trace", "nn_module_stack", "custom", "input_qparams")}
    sources = [(source.name, source.pass_name) for source in ancestors(node)]
    return node.op, node.name, str(node.target), shapes, number_of(node), str(kept), sorted(node.meta), sources


def ancestors(node: Any) -> Iterator[NodeSource]:
    waiting = list(node.meta.get("from_node", ()))
    while waiting:
        source = waiting.pop()
        yield source
        waiting += source.from_node


class Doubled(ExportPass):  # type: ignore[misc]
    """Computes each operator twice, from the metadata of one node."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        super().call_operator(op, args, kwargs, meta)
        return super().call_operator(op, args, kwargs, meta)


class InHalf(ExportPass):  # type: ignore[misc]
    """Gives sums another dtype: everything that follows has a new value."""

    def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
        result = super().call_operator(op, args, kwargs, meta)
        if op is not torch.ops.aten.add.Tensor:
            return result
        return super().call_operator(torch.ops.aten.to.dtype, (result, torch.float16), {}, meta)


def traced() -> GraphModule:
    class Sums(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.relu(x + y) * torch.relu(x + y)

    return torch.export.export(Sums(), (torch.ones(3, 4), torch.ones(4))).graph_module


def test_no_two_nodes_share_a_value() -> None:
    graph = traced()
    with remembered_values():
        for _ in range(3):
            graph = Doubled()(graph).graph_module
            counts = Counter(id(node.meta["val"]) for node in graph.graph.nodes if node.op != "output")
            assert max(counts.values()) == 1


def test_a_value_is_computed_once_while_nothing_changes() -> None:
    graph = traced()
    with remembered_values(), counted_calls() as calls:
        first = ExportPass()(graph).graph_module
        assert len(calls) == 5
        again = ExportPass()(first).graph_module
    assert len(calls) == 5
    assert [node.name for node in again.graph.nodes] == [node.name for node in first.graph.nodes]


def test_an_operator_after_a_change_has_its_new_value() -> None:
    with remembered_values():
        changed = InHalf()(ExportPass()(traced()).graph_module).graph_module
        dtypes = {node.name: node.meta["val"].dtype for node in changed.graph.nodes if node.op == "call_function"}
    assert dtypes["relu"] == dtypes["mul"] == torch.float16 and dtypes["add"] == torch.float32


@contextmanager
def counted_calls() -> Iterator[list[Any]]:
    """Yield a list that gets the target of every operator that passes compute."""
    calls: list[Any] = []
    run = torch.fx.Interpreter.call_function

    def counting(self: Any, target: Any, args: Any, kwargs: Any) -> Any:
        calls.append(target)
        return run(self, target, args, kwargs)

    torch.fx.Interpreter.call_function = counting
    try:
        yield calls
    finally:
        torch.fx.Interpreter.call_function = run


def test_code_is_that_of_the_graph_when_it_is_read_or_called() -> None:
    x = torch.full((2,), 3.0)
    with quick_upstream():
        module = torch.fx.symbolic_trace(nn.ReLU())
        (call,) = (node for node in module.graph.nodes if node.op in ("call_module", "call_function"))
        with module.graph.inserting_after(call):
            call.replace_all_uses_with(negated := module.graph.call_function(torch.neg, (call,)))
            negated.args = (call,)
        assert module.recompile() is None
        assert "neg" in module.code
        called = torch.fx.GraphModule(module, module.graph)
        assert called(x).tolist() == [-3.0, -3.0]
        outlives = torch.fx.GraphModule(module, module.graph)
    assert outlives(x).tolist() == [-3.0, -3.0] and "neg" in outlives.code


def test_everything_is_as_before_after_a_block_that_fails() -> None:
    before = (GraphModule.recompile, ExportPass._fx, gc_thresholds())
    with pytest.raises(ValueError, match="upstream"), quick_upstream():
        assert (GraphModule.recompile, ExportPass._fx, gc_thresholds()) != before
        raise ValueError("upstream")
    assert (GraphModule.recompile, ExportPass._fx, gc_thresholds()) == before
    assert not hasattr(NodeSource, "__deepcopy__")


def gc_thresholds() -> tuple[int, int, int]:
    import gc

    return gc.get_threshold()
