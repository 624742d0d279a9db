# SPDX-License-Identifier: Apache-2.0
"""Lowers the quantised program to an edge program with delegates, and writes that as a .pte."""

from __future__ import annotations

import copy
import re
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
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.exir.delegate import executorch_call_delegate
from torch.fx.passes.operator_support import OperatorSupportBase

from pilotlight.export.graph.source_lines import user_line
from pilotlight.export.graph.user_operators import UserOperators, module_path, number_of
from pilotlight.export.lowering.demands import unsupported
from pilotlight.export.lowering.memory_plan import InPlaceMemoryPlanning
from pilotlight.export.lowering.npu_choice import NpuChoice
from pilotlight.export.lowering.tables import quantise_tables
from pilotlight.export.lowering.tensor_io import Boundary, Int8Boundary, is_conversion_at_boundary, target_name
from pilotlight.export.report.report import OperatorReport
from pilotlight.export.upstream import reasons
from pilotlight.export.upstream.vela import Compilation, recorded_compilations
from pilotlight.export.upstream.vela_outputs import MissingOutput, copied_outputs
from pilotlight.pte.ethos_u import parse_blob, parse_payload

# The NPU reads commands and weights in place, in the .pte. An image embeds the .pte at a multiple
# of this.
BLOB_ALIGN_BYTES = 16

# Decomposed, linear would transpose its weights in every inference.
_WHOLE_ON_CPU = [torch.ops.aten.linear.default]

_QUANTISATION = ("quantized_decomposed.quantize_per_", "quantized_decomposed.dequantize_per_")


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
        return result

    def ops_to_not_decompose(self, ep: Any) -> tuple[list[Any], Callable[[Any], bool] | None]:
        operators, keep_whole = super().ops_to_not_decompose(ep)

        def keep_whole_unless_kept(node: Any) -> bool:
            return number_of(node) not in self._kept and (keep_whole is None or bool(keep_whole(node)))

        return operators, keep_whole_unless_kept


class _KeptOff(OperatorSupportBase):  # type: ignore[misc]
    def __init__(self, kept: Mapping[int, str]) -> None:
        self._kept = kept

    def is_node_supported(self, submodules: Any, node: Any) -> bool:
        del submodules
        return number_of(node) not in self._kept


@dataclass(frozen=True)
class Delegate:
    """A delegate of the edge program: its module, Vela's compilation, the operators inside."""

    module: Any
    compilation: Compilation
    operators: tuple[OperatorReport, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the user's operators in it, in the order of computation."""
        return _numbers(self.module.original_module.graph)


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
) -> Lowered:
    """Partition, compile with Vela, and make inputs and outputs int8 unless `float_io`.

    program: the quantised ExportedProgram; it is not changed.
    kept: number -> reason, for operators that stay on the CPU whatever the partitioner decides.
    work: folder for Vela's files.

    Raises LoweringFailed from any exception of upstream's.
    """
    partitioner = ReportingPartitioner(compile_spec, kept)
    with recorded_compilations(work) as compilations, _told_delegate() as delegate, _tables_before_average_pools():
        try:
            edge = to_edge_transform_and_lower(
                copy.deepcopy(program),
                partitioner=[partitioner],
                compile_config=EdgeCompileConfig(_check_ir_validity=False, preserve_ops=_WHOLE_ON_CPU),
            )
        except (Exception, SystemExit) as error:
            raise LoweringFailed(tuple(delegate) or tuple(operators)) from error
    quantise_tables(edge.exported_program())
    int8_boundary = Int8Boundary(edge.exported_program())
    if not float_io:
        edge = edge.transform([int8_boundary])
    lowered_program = edge.exported_program()
    delegates = _delegates(lowered_program, compilations, operators)
    return Lowered(
        edge=edge,
        delegates=delegates,
        on_cpu=_on_cpu(lowered_program, partitioner.reasons, operators),
        boundary=int8_boundary.boundary(lowered_program),
        notes=tuple(int8_boundary.notes),
        vela_seconds=sum(compilation.seconds for compilation in compilations),
        needlessly_quantised=_needlessly_quantised(lowered_program, partitioner.reasons, delegates),
    )


@contextmanager
def _told_delegate() -> Iterator[list[int]]:
    """Yield a list with the numbers of the operators in the delegate that is being compiled.

    If Vela omits an output, the delegate is compiled again with copies of its outputs.
    """
    numbers: list[int] = []
    preprocess = EthosUBackend.preprocess

    def preprocess_and_tell(edge_program: Any, compile_specs: Any) -> Any:
        numbers[:] = _numbers(edge_program.graph)
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
        return result

    EthosUBackend.preprocess = staticmethod(preprocess_and_tell)
    try:
        yield numbers
    finally:
        EthosUBackend.preprocess = staticmethod(preprocess)


def _numbers(graph: Any) -> tuple[int, ...]:
    found = (number_of(node) for node in graph.nodes if node.op == "call_function")
    return tuple(dict.fromkeys(number for number in found if number is not None))


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


def emit(lowered: Lowered) -> bytes:
    """Return the .pte.

    Raises UnsupportedOperator for an operator without an out variant, RuntimeError for a blob that
    is not aligned.
    """
    config = ExecutorchBackendConfig(
        extract_delegate_segments=False,
        delegate_alignment=BLOB_ALIGN_BYTES,
        memory_planning_pass=InPlaceMemoryPlanning(),
    )
    try:
        # to_executorch() rewrites the graph in place, and the golden outputs still need the
        # original.
        executorch_program = copy.deepcopy(lowered.edge).to_executorch(config)
    except RuntimeError as error:
        missing = re.search(r"Missing out variants: \{([^}]*)\}", str(error))
        if missing is None:
            raise
        raise unsupported(re.findall(r"[\w.]+(?:::[\w.]+)?", missing.group(1)), lowered.on_cpu) from error
    pte = bytes(executorch_program.buffer)
    for delegate in lowered.delegates:
        check_alignment(pte, delegate.compilation.blob)
    return pte


def check_alignment(pte: bytes, blob: bytes) -> None:
    """Raise RuntimeError if commands or weights of `blob` are not at a multiple of 16 in `pte`."""
    start = pte.find(blob)
    if start < 0:
        raise RuntimeError("a delegate's blob is not in the .pte as Vela's packer made it")
    parts = parse_blob(blob)
    places = {}
    if parts.commands_at is not None:
        places["command stream"] = start + parts.commands_at + parse_payload(parts.commands).stream_at
    # Nothing reads the weights of a delegate without constants.
    if parts.weights_at is not None and parts.weights:
        places["weights"] = start + parts.weights_at
    for what, offset in places.items():
        if offset % BLOB_ALIGN_BYTES:
            raise RuntimeError(f"{what} at offset {offset} of the .pte, no multiple of {BLOB_ALIGN_BYTES}")


def _delegates(program: Any, compilations: list[Compilation], names: UserOperators) -> tuple[Delegate, ...]:
    by_blob = {compilation.blob: compilation for compilation in compilations}
    delegates: list[Delegate] = []
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target is executorch_call_delegate:
            module = getattr(program.graph_module, node.args[0].target)
            operators = tuple(
                _operator(inner, names, delegate=len(delegates), reason="")
                for inner in module.original_module.graph.nodes
                if _computes(inner) and not _is_quantisation(inner)
            )
            delegates.append(Delegate(module, by_blob[module.processed_bytes], operators))
    return tuple(delegates)


def _on_cpu(program: Any, why: Mapping[str, str], names: UserOperators) -> tuple[OperatorReport, ...]:
    operators = []
    for node in program.graph.nodes:
        if not _computes(node) or node.target is executorch_call_delegate:
            continue
        if not _is_quantisation(node):
            reason = why.get(node.name, reasons.UNKNOWN_OPERATOR)
            operators.append(_operator(node, names, delegate=None, reason=reason))
        elif not is_conversion_at_boundary(node):
            operators.append(_conversion(node, names))
    return tuple(operators)


def _conversion(node: Any, names: UserOperators) -> OperatorReport:
    """Report a conversion between int8 and float at the line of the operator that needs it."""
    cause = next((other for other in _neighbours(node) if not _is_quantisation(other)), node)
    report = _operator(cause, names, delegate=None, reason="")
    return replace(report, name=target_name(node), reason=f"converts for {report.name}, which runs on the CPU")


def _needlessly_quantised(program: Any, why: Mapping[str, str], delegates: tuple[Delegate, ...]) -> dict[int, str]:
    """Find CPU operators whose quantisation has no use.

    These read integer constants, or a float that the CPU has just quantised and dequantised.
    """
    user_inputs = set(program.graph_signature.user_inputs)
    inside = {number for delegate in delegates for number in delegate.numbers}
    found: dict[int, str] = {}
    for node in program.graph.nodes:
        number = number_of(node)
        if not _computes(node) or _is_quantisation(node) or number is None:
            continue
        origins = [source.args[0] for source in node.all_input_nodes if _is_quantisation(source)]
        constants = any(origin.op == "placeholder" and origin.name not in user_inputs for origin in origins)
        there_and_back = any(_is_quantisation(origin) for origin in origins) and number not in inside
        if constants or there_and_back:
            found[number] = why.get(node.name, reasons.UNKNOWN_OPERATOR)
    return found


def _neighbours(node: Any) -> list[Any]:
    """Return the operators next to `node`. A getitem between them is skipped."""
    found = []
    for other in (*node.users, *node.all_input_nodes):
        if other.op == "call_function" and _computes(other):
            found.append(other)
        elif other.op == "call_function":
            found += [next_one for next_one in (*other.users, *other.all_input_nodes) if _computes(next_one)]
    return [other for other in found if other is not node and other.target is not executorch_call_delegate]


def _computes(node: Any) -> bool:
    return node.op == "call_function" and getattr(node.target, "__name__", "") != "getitem"


def _is_quantisation(node: Any) -> bool:
    return target_name(node).startswith(_QUANTISATION)


def _operator(node: Any, names: UserOperators, *, delegate: int | None, reason: str) -> OperatorReport:
    number = number_of(node)
    called = None if number is None else names.get(number)
    line = user_line(node.meta.get("stack_trace"))
    return OperatorReport(
        name=target_name(node),
        module=called.module if called else module_path(node),
        where=called.where if called else line.where if line else "",
        source=called.source if called else line.text if line else "",
        delegate=delegate,
        reason=reason,
        inner_where=called.inner_where if called else "",
        inner_source=called.inner_source if called else "",
    )
