# SPDX-License-Identifier: Apache-2.0
"""The memory of tensors: planned buffers, the caller's memory, constants, state."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchBackendConfig, ExecutorchProgramManager
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass

from .authoring import method, program


def _chain(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    z = torch.cat([y, x + 1])
    return z * z - 1


def memory_of_the_caller() -> ExecutorchProgramManager:
    planning = MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    return program(method(_chain, torch.rand(4, 3)), ExecutorchBackendConfig(memory_planning_pass=planning))


def inputs_of_the_caller() -> ExecutorchProgramManager:
    planning = MemoryPlanningPass(alloc_graph_input=False)
    return program(method(_chain, torch.rand(4, 3)), ExecutorchBackendConfig(memory_planning_pass=planning))


class _ThirdBuffer(MemoryPlanningPass):
    """Puts every other tensor into a planned buffer of its own."""

    def run(self, graph_module: torch.fx.GraphModule, graph_signature: object = None) -> object:
        for index, node in enumerate(graph_module.graph.nodes):
            spec = node.meta.get("spec")
            if node.op == "call_function" and index % 2 and isinstance(spec, list | tuple) is False and spec:
                spec.mem_id = 3
        return super().run(graph_module, graph_signature)


def several_planned_buffers() -> ExecutorchProgramManager:
    return program(method(_chain, torch.rand(4, 3)), ExecutorchBackendConfig(memory_planning_pass=_ThirdBuffer()))


def wide_alignment() -> ExecutorchProgramManager:
    planning = MemoryPlanningPass(alignment=128)
    return program(method(_chain, torch.rand(1, 3)), ExecutorchBackendConfig(memory_planning_pass=planning))


class Weights(torch.nn.Module):
    """Constants that share bytes, and constants that are only similar."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(4, 4)
        self.second = torch.nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.register_buffer("scale", torch.tensor(3, dtype=torch.int64))
        self.register_buffer("none", torch.zeros(0, 2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.second(self.first(x)) * self.scale, self.first.bias, self.none + 1


def constants_in_a_segment() -> ExecutorchProgramManager:
    return program(method(Weights(), torch.rand(2, 4)))


def constants_far_apart() -> ExecutorchProgramManager:
    config = ExecutorchBackendConfig(segment_alignment=4096, constant_tensor_alignment=64)
    return program(method(Weights(), torch.rand(2, 4)), config)


def constants_in_another_file() -> ExecutorchProgramManager:
    return program(method(Weights(), torch.rand(2, 4)), ExecutorchBackendConfig(external_constants=True))


def some_constants_in_another_file() -> ExecutorchProgramManager:
    def choose(node: torch.fx.Node) -> str | None:
        return "weights" if "weight" in node.name else None

    return program(method(Weights(), torch.rand(2, 4)), ExecutorchBackendConfig(external_constants=choose))


class Accumulator(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.arange(4, dtype=torch.float32))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.total.add_(x)
        self.count.add_(1)
        return self.total * 2, self.count + 0


def state_with_initial_values() -> ExecutorchProgramManager:
    config = ExecutorchBackendConfig(
        emit_mutable_buffer_names=True, passes=[InitializedMutableBufferPass(["total", "count"])]
    )
    return program(method(Accumulator(), torch.ones(4)), config)


def state_without_initial_values() -> ExecutorchProgramManager:
    return program(method(Accumulator(), torch.ones(4)), ExecutorchBackendConfig(emit_mutable_buffer_names=True))


def state_of_the_caller() -> ExecutorchProgramManager:
    planning = MemoryPlanningPass(alloc_mutable_buffers=False)
    config = ExecutorchBackendConfig(memory_planning_pass=planning, emit_mutable_buffer_names=True)
    return program(method(Accumulator(), torch.ones(4)), config)


class _Shared(torch.nn.Module):
    def __init__(self, state: torch.Tensor, factor: float) -> None:
        super().__init__()
        self.register_buffer("state", state)
        self._factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.state.mul_(self._factor)
        self.state.add_(x)
        return self.state + 0


def state_shared_by_methods() -> ExecutorchProgramManager:
    state = torch.ones(4)
    planning = MemoryPlanningPass(share_mutable_buffers=True)
    config = ExecutorchBackendConfig(memory_planning_pass=planning, emit_mutable_buffer_names=True)
    methods = {
        "double": method(_Shared(state, 2.0), torch.ones(4)),
        "halve": method(_Shared(state, 0.5), torch.ones(4)),
    }
    return program(methods, config)


CASES = (
    memory_of_the_caller,
    inputs_of_the_caller,
    several_planned_buffers,
    wide_alignment,
    constants_in_a_segment,
    constants_far_apart,
    constants_in_another_file,
    some_constants_in_another_file,
    state_with_initial_values,
    state_without_initial_values,
    state_of_the_caller,
    state_shared_by_methods,
)
