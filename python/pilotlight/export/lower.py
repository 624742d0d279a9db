# SPDX-License-Identifier: Apache-2.0
"""From the quantised program to the edge program with delegates, and from that to the .pte."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.exir.delegate import executorch_call_delegate

from pilotlight.export.report import OperatorReport
from pilotlight.export.source_lines import user_line
from pilotlight.export.targets import Target
from pilotlight.export.tensor_io import Boundary, Int8Boundary, is_conversion_at_boundary, target_name
from pilotlight.export.tosa_origins import module_path
from pilotlight.export.vela import Compilation, recorded_compilations
from pilotlight.pte.ethos_u import parse_blob, parse_payload

# The NPU reads commands and weights where they lie in the .pte, which an image embeds at a multiple of this.
BLOB_ALIGN_BYTES = 16

_QUANTISATION = ("quantized_decomposed.quantize_per_", "quantized_decomposed.dequantize_per_")
_NO_REASON = "the NPU's partitioner does not take this operator"
_NOT_LISTED = "BaseTOSASupportList"  # Upstream's words for "I do not know this operator".


def compile_spec_for(target: Target) -> Any:
    return EthosUCompileSpec(target.name, system_config=target.system_config, memory_mode=target.memory_mode)


class ReportingPartitioner(EthosUPartitioner):  # type: ignore[misc]
    """Upstream's partitioner, which logs its reasons as a table; this one keeps them.

    reasons: node name to why it stays on the CPU.
    """

    def __init__(self, compile_spec: Any) -> None:
        super().__init__(compile_spec)
        self.reasons: dict[str, str] = {}
        self._reporters: list[Any] = []

    def _create_operator_support(self, containing_program: Any, reporter: Any) -> Any:
        self._reporters.append(reporter)
        return super()._create_operator_support(containing_program, reporter)

    def partition(self, exported_program: Any) -> Any:
        result = super().partition(exported_program)
        for reporter in self._reporters:
            for node, reason in reporter._rejected_nodes.items():
                words = _NO_REASON if _NOT_LISTED in reason else " ".join(reason.split())
                self.reasons.setdefault(node.name, words)
        return result


@dataclass(frozen=True)
class Delegate:
    """A delegate call of the edge program: its module, what Vela made of it, the operators inside."""

    module: Any
    compilation: Compilation
    operators: tuple[OperatorReport, ...]


@dataclass(frozen=True)
class Lowered:
    """edge: EdgeProgramManager with one method, "forward".

    on_cpu: operators outside the delegates, the conversions at a float boundary excepted.
    """

    edge: Any
    delegates: tuple[Delegate, ...]
    on_cpu: tuple[OperatorReport, ...]
    boundary: Boundary
    notes: tuple[str, ...]
    vela_seconds: float

    @property
    def program(self) -> Any:
        return self.edge.exported_program()

    @property
    def operators(self) -> tuple[OperatorReport, ...]:
        return (*(operator for delegate in self.delegates for operator in delegate.operators), *self.on_cpu)


def lower(program: Any, compile_spec: Any, *, float_io: bool, work: Path) -> Lowered:
    """Partition, compile with Vela, and make inputs and outputs int8 unless `float_io`."""
    partitioner = ReportingPartitioner(compile_spec)
    with recorded_compilations(work) as compilations:
        edge = to_edge_transform_and_lower(
            program,
            partitioner=[partitioner],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
    int8_boundary = Int8Boundary(edge.exported_program())
    if not float_io:
        edge = edge.transform([int8_boundary])
    lowered_program = edge.exported_program()
    delegates = _delegates(lowered_program, compilations)
    return Lowered(
        edge=edge,
        delegates=delegates,
        on_cpu=_on_cpu(lowered_program, partitioner.reasons),
        boundary=int8_boundary.boundary(lowered_program),
        notes=tuple(int8_boundary.notes),
        vela_seconds=sum(compilation.seconds for compilation in compilations),
    )


def emit(lowered: Lowered) -> tuple[bytes, list[str]]:
    """Return the .pte and the names of the operators it calls on the CPU ("aten::add.out")."""
    config = ExecutorchBackendConfig(extract_delegate_segments=False, delegate_alignment=BLOB_ALIGN_BYTES)
    executorch_program = lowered.edge.to_executorch(config)
    pte = bytes(executorch_program.buffer)
    for delegate in lowered.delegates:
        check_alignment(pte, delegate.compilation.blob)
    (plan,) = executorch_program.executorch_program.execution_plan
    names = [f"{entry.name}.{entry.overload}" if entry.overload else entry.name for entry in plan.operators]
    return pte, names


def check_alignment(pte: bytes, blob: bytes) -> None:
    """Raise RuntimeError when commands or weights of `blob` do not lie in `pte` where the NPU can take them."""
    start = pte.find(blob)
    if start < 0:
        raise RuntimeError("a delegate's blob is not in the .pte as Vela's packer made it")
    parts = parse_blob(blob)
    commands = blob.index(parts.commands)
    stream = commands + parts.commands.index(parse_payload(parts.commands).stream)
    weights = blob.index(parts.weights, commands + len(parts.commands))
    for what, offset in (("command stream", start + stream), ("weights", start + weights)):
        if offset % BLOB_ALIGN_BYTES:
            raise RuntimeError(f"{what} at offset {offset} of the .pte, no multiple of {BLOB_ALIGN_BYTES}")


def _delegates(program: Any, compilations: list[Compilation]) -> tuple[Delegate, ...]:
    by_blob = {compilation.blob: compilation for compilation in compilations}
    delegates: list[Delegate] = []
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target is executorch_call_delegate:
            module = getattr(program.graph_module, node.args[0].target)
            operators = tuple(
                _operator(inner, delegate=len(delegates), reason="")
                for inner in module.original_module.graph.nodes
                if _computes(inner) and not _is_quantisation(inner)
            )
            delegates.append(Delegate(module, by_blob[module.processed_bytes], operators))
    return tuple(delegates)


def _on_cpu(program: Any, reasons: dict[str, str]) -> tuple[OperatorReport, ...]:
    operators = []
    for node in program.graph.nodes:
        if not _computes(node) or node.target is executorch_call_delegate:
            continue
        if not _is_quantisation(node):
            operators.append(_operator(node, delegate=None, reason=reasons.get(node.name, _NO_REASON)))
        elif not is_conversion_at_boundary(node):
            operators.append(_conversion(node))
    return tuple(operators)


def _conversion(node: Any) -> OperatorReport:
    """Report a change between int8 and float by the float operator that needs it."""
    cause = next((other for other in _neighbours(node) if not _is_quantisation(other)), node)
    report = _operator(cause, delegate=None, reason="")
    return replace(report, name=target_name(node), reason=f"converts for {report.name}, which runs on the CPU")


def _neighbours(node: Any) -> list[Any]:
    """Return the operators next to `node`, seen through the picking of one result of several."""
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


def _operator(node: Any, *, delegate: int | None, reason: str) -> OperatorReport:
    line = user_line(node.meta.get("stack_trace"))
    return OperatorReport(
        name=target_name(node),
        module=module_path(node),
        where=line.where if line else "",
        source=line.text if line else "",
        delegate=delegate,
        reason=reason,
    )
