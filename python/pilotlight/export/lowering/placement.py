# SPDX-License-Identifier: Apache-2.0
"""Which operators of a lowered program run in delegates, which on the CPU, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from executorch.exir.delegate import executorch_call_delegate

from pilotlight.export.graph.source_lines import user_line
from pilotlight.export.graph.user_operators import UserOperators, module_path, number_of
from pilotlight.export.lowering.tensor_io import is_conversion_at_boundary, target_name
from pilotlight.export.report.report import OperatorReport
from pilotlight.export.upstream import reasons
from pilotlight.export.upstream.vela import Compilation

_QUANTISATION = ("quantized_decomposed.quantize_per_", "quantized_decomposed.dequantize_per_")


@dataclass(frozen=True)
class Delegate:
    """A delegate of the edge program: its module, Vela's compilation, the operators inside."""

    module: Any
    compilation: Compilation
    operators: tuple[OperatorReport, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the user's operators in it, in the order of computation."""
        return operator_numbers(self.module.original_module.graph)


def operator_numbers(graph: Any) -> tuple[int, ...]:
    """Return the numbers of the user's operators in `graph`, each once, in order of computation."""
    found = (number_of(node) for node in graph.nodes if node.op == "call_function")
    return tuple(dict.fromkeys(number for number in found if number is not None))


def delegates_of(program: Any, compilations: list[Compilation], names: UserOperators) -> tuple[Delegate, ...]:
    """Return the delegates of the edge program `program`."""
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


def operators_on_cpu(program: Any, why: Mapping[str, str], names: UserOperators) -> tuple[OperatorReport, ...]:
    """Return the operators outside the delegates, without conversions at a float input or output.

    why: node name -> reason for being on the CPU.
    """
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


def needlessly_quantised(program: Any, why: Mapping[str, str], delegates: tuple[Delegate, ...]) -> dict[int, str]:
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
