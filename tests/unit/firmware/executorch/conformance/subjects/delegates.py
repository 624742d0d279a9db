# SPDX-License-Identifier: Apache-2.0
"""Parts of a method that run in backends. The probe has two of these backends."""

from __future__ import annotations

from typing import final

import torch
from executorch.exir import ExecutorchBackendConfig, ExecutorchProgramManager
from executorch.exir._serialize._named_data_store import NamedDataStore
from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult
from executorch.exir.backend.canonical_partitioners.pattern_op_partitioner import generate_pattern_op_partitions
from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult
from executorch.exir.dialects._ops import ops
from executorch.exir.passes import MemoryPlanningPass
from torch.export import ExportedProgram
from torch.fx.passes.operator_support import OperatorSupportBase

from .authoring import method, program


def _operators(edge_program: ExportedProgram) -> str:
    return " ".join(node.target.__name__ for node in edge_program.graph.nodes if node.op == "call_function")


@final
class AddingBackend(BackendDetails):  # type: ignore[misc]
    """The data of a delegate is the list of its operators."""

    @staticmethod
    def preprocess(edge_program: ExportedProgram, compile_specs: list[CompileSpec]) -> PreprocessResult:
        return PreprocessResult(processed_bytes=_operators(edge_program).encode())


@final
class MultiplyingBackend(BackendDetails):  # type: ignore[misc]
    """It has named data as well."""

    @staticmethod
    def preprocess(edge_program: ExportedProgram, compile_specs: list[CompileSpec]) -> PreprocessResult:
        store = NamedDataStore()
        store.add_named_data("factors", bytes(range(40)), alignment=64)
        store.add_named_data("more factors", b"0123456789")
        return PreprocessResult(
            processed_bytes=_operators(edge_program).encode(), data_store_output=store.get_named_data_store_output()
        )


class _Takes(OperatorSupportBase):  # type: ignore[misc]
    def __init__(self, operators: tuple[object, ...]) -> None:
        self._operators = operators

    def is_node_supported(self, submodules: object, node: torch.fx.Node) -> bool:
        return node.op == "call_function" and node.target in self._operators


class _ByOperator(Partitioner):  # type: ignore[misc]
    """Delegates additions to one backend and multiplications to the other, and nothing else."""

    def __init__(self, specs: list[CompileSpec]) -> None:
        self._takes = (
            (DelegationSpec("AddingBackend", specs), _Takes((ops.edge.aten.add.Tensor,))),
            (DelegationSpec("MultiplyingBackend", []), _Takes((ops.edge.aten.mul.Tensor,))),
        )

    def partition(self, exported_program: ExportedProgram) -> PartitionResult:
        tags = {}
        for delegation, takes in self._takes:
            for partition in generate_pattern_op_partitions(exported_program.graph_module, op_support=takes):
                for node in partition.nodes:
                    node.meta["delegation_tag"] = f"{delegation.backend_id}{partition.id}"
                tags[f"{delegation.backend_id}{partition.id}"] = delegation
        return PartitionResult(tagged_exported_program=exported_program, partition_tags=tags)


def _mixed(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a = x + y
    b = torch.sin(a) * y
    c = b + x + y
    return c - 1, a * c


SPECS = [CompileSpec("level", b"\x03"), CompileSpec("nothing", b"")]


def two_backends() -> ExecutorchProgramManager:
    return program(method(_mixed, torch.rand(2, 3), torch.rand(2, 3)), partitioner=_ByOperator(SPECS))


def blobs_inside_the_program() -> ExecutorchProgramManager:
    config = ExecutorchBackendConfig(extract_delegate_segments=False)
    exported = method(_mixed, torch.rand(2, 3), torch.rand(2, 3))
    return program(exported, config, partitioner=_ByOperator(SPECS))


def delegates_in_several_methods() -> ExecutorchProgramManager:
    x = torch.rand(2, 3)
    methods = {"forward": method(_mixed, x, x), "sum": method(lambda x, y: x + y + y, x, x)}
    return program(methods, partitioner=_ByOperator([]))


class _Scaled(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.sin(x * y) - self.scale


def named_data_in_two_files() -> ExecutorchProgramManager:
    exported = method(_Scaled(), torch.rand(2, 3), torch.rand(2, 3))
    return program(exported, ExecutorchBackendConfig(external_constants=True), partitioner=_ByOperator([]))


def delegate_with_memory_of_the_caller() -> ExecutorchProgramManager:
    planning = MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    config = ExecutorchBackendConfig(memory_planning_pass=planning)
    exported = method(lambda x, y: x + y + y, torch.rand(2, 3), torch.rand(2, 3))
    return program(exported, config, partitioner=_ByOperator([]))


CASES = (
    two_backends,
    blobs_inside_the_program,
    delegates_in_several_methods,
    named_data_in_two_files,
    delegate_with_memory_of_the_caller,
)
