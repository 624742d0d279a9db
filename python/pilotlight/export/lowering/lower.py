# SPDX-License-Identifier: Apache-2.0
"""Lowers the quantised program to an edge program with delegates."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from executorch.backends.arm._passes.arm_pass_manager import (
    clear_registered_pass_insertions,
    register_pass_insertions_before,
)
from executorch.backends.arm._passes.insert_table_ops import InsertTableOpsPass
from executorch.backends.arm._passes.rewrite_avg_pool2d_pass import RewriteAvgPool2dPass
from executorch.backends.arm.ethosu import EthosUBackend, EthosUCompileSpec, EthosUPartitioner
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from torch.fx.passes.operator_support import OperatorSupportBase

from pilotlight.export.graph.user_operators import UserOperators, number_of
from pilotlight.export.lowering.integer_state import keep_state_in_integers
from pilotlight.export.lowering.npu_choice import NpuChoice
from pilotlight.export.lowering.placement import (
    Delegate,
    delegates_of,
    needlessly_quantised,
    operator_numbers,
    operators_on_cpu,
)
from pilotlight.export.lowering.reuse import Compiled, CompiledDelegates, key_of
from pilotlight.export.lowering.tables import quantise_tables
from pilotlight.export.lowering.tensor_io import QUANTIZE, Boundary, Int8Boundary, target_name
from pilotlight.export.report.report import OperatorReport
from pilotlight.export.upstream import reasons
from pilotlight.export.upstream.speed import quick_upstream
from pilotlight.export.upstream.told_passes import told_passes
from pilotlight.export.upstream.vela import Compilation, recorded_compilations
from pilotlight.export.upstream.vela_outputs import MissingOutput, copied_outputs

# Decomposed, linear would transpose its weights in every inference.
_WHOLE_ON_CPU = [torch.ops.aten.linear.default]


def compile_spec_for(npu: NpuChoice) -> Any:
    """Return ExecuTorch's EthosUCompileSpec for `npu`."""
    return EthosUCompileSpec(npu.name, system_config=npu.system_config, memory_mode=npu.memory_mode)


class LoweringFailed(Exception):
    """Upstream raised; the cause is `__cause__`.

    numbers: the user's operators in the delegate that was being compiled; all operators if none
        was.
    """

    def __init__(self, numbers: tuple[int, ...]) -> None:
        super().__init__("lowering failed")
        self.numbers = numbers


class ReportingPartitioner(EthosUPartitioner):  # type: ignore[misc]
    """Upstream's partitioner, which also keeps the reasons that upstream only logs.

    kept: number -> reason, for the user's operators that must stay on the CPU.
    reasons: node name -> reason, for all nodes that stay on the CPU.
    """

    def __init__(self, compile_spec: Any, kept: Mapping[int, str]) -> None:
        super().__init__(compile_spec, additional_checks=[_KeptOff(kept)])
        self.reasons: dict[str, str] = {}
        self._kept = kept
        self._reporters: list[Any] = []

    def _create_operator_support(self, containing_program: Any, reporter: Any) -> Any:
        self._reporters.append(reporter)
        return super()._create_operator_support(containing_program, reporter)

    def partition(self, exported_program: Any) -> Any:
        result = super().partition(exported_program)
        for reporter in self._reporters:
            for node, reason in reporter._rejected_nodes.items():
                number = number_of(node)
                why = "" if number is None else self._kept.get(number, "")
                self.reasons.setdefault(node.name, why or reasons.plain(reason))
        _quantise_where_computed(result.tagged_exported_program.graph)
        return result

    def ops_to_not_decompose(self, ep: Any) -> tuple[list[Any], Callable[[Any], bool] | None]:
        operators, keep_whole = super().ops_to_not_decompose(ep)

        def keep_whole_unless_kept(node: Any) -> bool:
            return number_of(node) not in self._kept and (keep_whole is None or bool(keep_whole(node)))

        return operators, keep_whole_unless_kept


def _quantise_where_computed(graph: Any) -> None:
    """Put each quantise into the delegate of the operator before it.

    If the value goes to another delegate, upstream may have counted the quantise as an input of
    that one, and left it on the CPU. The first delegate then returns integers where the program has
    a float.
    """
    for node in graph.nodes:
        if target_name(node) == QUANTIZE and "delegation_tag" not in node.meta:
            tag = node.args[0].meta.get("delegation_tag")
            if tag is not None and node.args[0].op == "call_function":
                node.meta["delegation_tag"] = tag


class _KeptOff(OperatorSupportBase):  # type: ignore[misc]
    def __init__(self, kept: Mapping[int, str]) -> None:
        self._kept = kept

    def is_node_supported(self, submodules: Any, node: Any) -> bool:
        del submodules
        return number_of(node) not in self._kept


@dataclass(frozen=True)
class Lowered:
    """The lowered program.

    edge: EdgeProgramManager with one method, "forward".
    on_cpu: operators outside the delegates, without conversions at a float input or output.
    notes: sentences for the report.
    vela_seconds: the time that Vela took.
    needlessly_quantised: number -> reason for being on the CPU, for the user's operators that run
        in float between a dequantise and a quantise that quantisation itself added.
    """

    edge: Any
    delegates: tuple[Delegate, ...]
    on_cpu: tuple[OperatorReport, ...]
    boundary: Boundary
    notes: tuple[str, ...]
    vela_seconds: float
    needlessly_quantised: dict[int, str]

    @property
    def program(self) -> Any:
        return self.edge.exported_program()

    @property
    def operators(self) -> tuple[OperatorReport, ...]:
        return (*(operator for delegate in self.delegates for operator in delegate.operators), *self.on_cpu)


def lower(
    program: Any,
    compile_spec: Any,
    operators: UserOperators,
    kept: Mapping[int, str],
    *,
    float_io: bool,
    work: Path,
    compiled: CompiledDelegates | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Lowered:
    """Partition, compile with Vela, and make inputs and outputs integers unless `float_io`.

    program: the quantised ExportedProgram; it is not changed.
    kept: number -> reason, for operators that stay on the CPU whatever the partitioner decides.
    work: folder for Vela's files.
    compiled: the delegates of earlier attempts, which are used again.
    tell: gets a line of progress before each of upstream's passes.

    Raises LoweringFailed from any exception of upstream's.
    """
    partitioner = ReportingPartitioner(compile_spec, kept)
    with (
        recorded_compilations(work) as compilations,
        _told_delegate(compilations, compiled or CompiledDelegates()) as delegate,
        _tables_before_average_pools(),
        told_passes(tell),
        quick_upstream(),
    ):
        try:
            edge = to_edge_transform_and_lower(
                copy.deepcopy(program),
                partitioner=[partitioner],
                compile_config=EdgeCompileConfig(_check_ir_validity=False, preserve_ops=_WHOLE_ON_CPU),
            )
        except (Exception, SystemExit) as error:
            raise LoweringFailed(tuple(delegate) or tuple(operators)) from error
    quantise_tables(edge.exported_program())
    state = keep_state_in_integers(edge.exported_program())
    int8_boundary = Int8Boundary(edge.exported_program())
    if not float_io:
        edge = edge.transform([int8_boundary])
    lowered_program = edge.exported_program()
    delegates = delegates_of(lowered_program, compilations, operators)
    return Lowered(
        edge=edge,
        delegates=delegates,
        on_cpu=operators_on_cpu(lowered_program, partitioner.reasons, operators),
        boundary=replace(int8_boundary.boundary(lowered_program), state=state),
        notes=tuple(int8_boundary.notes),
        vela_seconds=sum(compilation.seconds for compilation in compilations),
        needlessly_quantised=needlessly_quantised(lowered_program, partitioner.reasons, delegates),
    )


@contextmanager
def _told_delegate(compilations: list[Compilation], compiled: CompiledDelegates) -> Iterator[list[int]]:
    """Yield a list with the numbers of the operators in the delegate that is being compiled.

    compilations: gets one entry for each delegate. compiled: delegates that need not be compiled.

    If Vela omits an output, the delegate is compiled again with copies of its outputs.
    """
    numbers: list[int] = []
    preprocess = EthosUBackend.preprocess

    def preprocess_and_tell(edge_program: Any, compile_specs: Any) -> Any:
        key = key_of(edge_program, compile_specs)
        known = compiled.find(key)
        if known is not None:
            compilations.append(known.compilation)
            return copy.copy(known.result)
        numbers[:] = operator_numbers(edge_program.graph)
        several = len(edge_program.graph.output_node().args[0]) > 1
        try:
            # A copy, because upstream's passes change the program, and it may be needed again.
            result = preprocess(copy.deepcopy(edge_program) if several else edge_program, compile_specs)
        except MissingOutput:
            if not several:
                raise
            with copied_outputs():
                result = preprocess(edge_program, compile_specs)
        numbers.clear()
        compiled.add(key, Compiled(copy.copy(result), compilations[-1]))
        return result

    EthosUBackend.preprocess = staticmethod(preprocess_and_tell)
    try:
        yield numbers
    finally:
        EthosUBackend.preprocess = staticmethod(preprocess)


@contextmanager
def _tables_before_average_pools() -> Iterator[None]:
    """Convert tanh, sigmoid and similar operators to int8 tables before average pools.

    Upstream handles average pools first. In its trace, tanh on int8 is then still float, and a
    float average pool cannot be lowered.
    """
    # The pass manager gives the pass the program of each delegate.
    register_pass_insertions_before(RewriteAvgPool2dPass, [InsertTableOpsPass(None)])
    try:
        yield
    finally:
        clear_registered_pass_insertions()
